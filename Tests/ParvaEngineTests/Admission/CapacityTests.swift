import Foundation
import ParvaTestSupport
import Testing

@testable import ParvaEngine

/// Certified capacities against theory, against a plain simulation, and against their own promises.
@Suite struct CapacityTests {
  /// Share of requests that wait longer than `t` services in M/D/1 at load `x` (Erlang 1909).
  private static func waitsLonger(than t: Double, load x: Double) -> Double {
    var sum = 0.0
    var factorial = 1.0
    for k in 0...Int(t) {
      if k > 0 { factorial *= Double(k) }
      let rest = x * (t - Double(k))
      sum += pow(-rest, Double(k)) / factorial * exp(rest)
    }
    return 1 - (1 - x) * sum
  }

  @Test(
    "M/D/1: the percentile holds by Erlang's formula, and at little more load it does not",
    arguments: [1.5, 2, 3, 5, 8, 12, 16], [0.05, 0.01])
  func singleServer(_ objective: Double, _ tail: Double) throws {
    let table = RandomQueue.table([RandomQueue.point(batch: 1, processes: 1, latencyMs: 10)], tail: tail)
    let step = CapacityGrid.step(ofObjective: 10 * objective)
    let load = try #require(table.capacity(batch: 1, processes: 1, step: step)) / 100
    #expect(Self.waitsLonger(than: objective - 1, load: load) <= tail)
    #expect(Self.waitsLonger(than: objective - 1, load: load * 1.05 + 0.004) > tail)
  }

  @Test("batches without bound: the percentile holds by the closed form, and at a seventh more it does not")
  func unboundedBatch() throws {
    // All that waits is served at once in time 1, so x requests come in a service and exp(-x) of them find it idle:
    // a share x (2 - s) / (x + exp(-x)) takes longer than s, for s in 1...2.
    let late = { (x: Double, s: Double) in x * (2 - s) / (x + exp(-x)) }
    for (objective, tail) in [(1.95, 0.04), (1.9, 0.075), (1.97, 0.025)] {
      let points = [1, 64].map { RandomQueue.point(batch: $0, processes: 1, latencyMs: 100) }
      let step = CapacityGrid.step(ofObjective: 100 * objective)
      let capacity = try #require(RandomQueue.table(points, tail: tail).capacity(batch: 64, processes: 1, step: step))
      #expect(late(capacity / 10, objective) <= tail)
      #expect(late(capacity / 70 * 8, CapacityGrid.milliseconds(step: step) / 100) > tail)
    }
  }

  struct Stream: Sendable, CustomTestStringConvertible {
    var cv2: Double
    var points: Int
    var testDescription: String { "cv2 \(cv2)" }
  }

  @Test(
    "random points keep their percentile in a plain simulation with another stream",
    arguments: [Stream(cv2: 1, points: 800), Stream(cv2: 4, points: 200)])
  func promise(_ stream: Stream) throws {
    var random = SeededGenerator(seed: 20_250_101)
    var broken: [String] = []
    var lateness = 0.0
    var judged = 0
    for number in 0..<stream.points {
      let point = RandomQueue(mostProcesses: 4, largest: 6, &random)
      let tail = Bool.random(using: &random) ? 0.01 : 0.05
      let table = RandomQueue.table(
        point.points, arrivals: stream.cv2 == 1 ? .poisson : .gamma(cv2: stream.cv2), tail: tail)
      let objective = point.full * exp(Double.random(in: log(1.05)...log(8), using: &random))
      let step = CapacityGrid.step(ofObjective: objective)
      let rate = try #require(table.capacity(batch: point.limit, processes: point.processes, step: step))
      guard rate > 0 else { continue }
      let late = try #require(
        point.lateness(table, objective: objective) {
          (stream.cv2 == 1 ? random.exponential() : random.gamma(cv2: stream.cv2)) * 1000 / rate
        })
      // Even three standard errors less would be too many.
      if late.least > tail {
        broken.append("point \(number): \(late.mean) late of \(tail), b \(point.limit) p \(point.processes)")
      }
      lateness += late.mean / tail
      judged += 1
    }
    #expect(judged > stream.points / 2)
    // Certified with 99 % confidence and judged with 99.9 %: of a thousand points one might be broken, and none is.
    #expect(broken.isEmpty, "\(broken)")
    // On average the promise is used, not merely kept.
    #expect(lateness / Double(judged) > 0.4, "\(lateness / Double(judged))")
  }

  @Test(
    "a queue for each process carries what as many segments of one process do, at the times of all of them",
    arguments: 0..<12)
  func queueForEachProcess(_ number: Int) throws {
    let seed = TestSeed.of(offset: UInt64(number))
    var random = SeededGenerator(seed: seed)
    let processes = Int.random(in: 2...5, using: &random)
    let limit = 1 << Int.random(in: 0...5, using: &random)
    let fixed = exp(Double.random(in: log(1)...log(50), using: &random))
    let each = fixed * exp(Double.random(in: log(0.002)...log(1), using: &random))
    let points = { (count: Int) in
      (0...5).map { 1 << $0 }.filter { $0 <= limit }.map {
        RandomQueue.point(batch: $0, processes: count, latencyMs: fixed + each * Double($0))
      }
    }
    let arrivals = Bool.random(using: &random) ? CertifiedArrivals.poisson : .gamma(cv2: 3)
    let objective = (fixed + each * Double(limit)) * exp(Double.random(in: log(1.3)...log(8), using: &random))
    let step = CapacityGrid.step(ofObjective: objective)
    let capacity = { (queue: QueueForm, count: Int) throws in
      try #require(
        RandomQueue.table(points(count), queue, arrivals: arrivals).capacity(batch: limit, processes: count, step: step)
      )
    }
    let (own, single) = (try capacity(.perProcess, processes), try capacity(.shared, 1))
    #expect(abs(own - Double(processes) * single) <= 1e-9 * own, "seed \(seed)")
    #expect(try capacity(.perProcess, 1) == single, "seed \(seed)")
    // One queue before all of them is never worse: what waits at one process could run on another.
    #expect(try capacity(.shared, processes) >= own * 0.99, "seed \(seed)")
  }

  @Test("what is known of one form of queue is not believed of the other")
  func factsTellQueues() {
    let profile = ModelProfile(
      model: "m", product: "A100-80GB", source: .measured,
      points: [RandomQueue.point(batch: 1, processes: 2, latencyMs: 10)])
    let keys = QueueForm.allCases.map { CapacityFacts.Key(profile, kind: 0, $0, .poisson, tail: 0.01) }
    #expect(Set(keys).count == keys.count)
  }

  @Test("a looser objective never carries less, whatever was asked before", arguments: 0..<6)
  func monotone(_ seed: Int) throws {
    var random = SeededGenerator(seed: UInt64(seed))
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    let profile = RandomDemand.profile(model: "m", product, &random)
    let kind = try #require(profile.points.last).profile
    let fastest = try #require(profile.points.filter { $0.profile == kind }.map(\.latencyMs).min())
    let steps = (0..<60).map { CapacityGrid.step(ofObjective: fastest * pow(1.06, Double($0))) }
    let offers = { (order: [Int]) in
      let table = CapacityTables().kind(kind, of: profile, .shared, .poisson, tail: 0.01)
      return Dictionary(
        order.map { ($0, table.offer(step: $0, maxProcesses: 3)) }, uniquingKeysWith: { first, _ in first })
    }
    let upwards = offers(steps)
    for (tight, loose) in zip(steps, steps.dropFirst()) {
      let (less, more) = (try #require(upwards[tight]), try #require(upwards[loose]))
      #expect(less.capacity <= more.capacity, "seed \(seed), \(CapacityGrid.milliseconds(step: loose)) ms")
    }
    #expect(upwards == offers(steps.shuffled(using: &random)))
    #expect(upwards.values.contains { $0.capacity > 0 })
  }

  @Test("grids round to the safe side")
  func grids() throws {
    var random = SeededGenerator(seed: 3)
    for _ in 0..<2000 {
      let objective = exp(Double.random(in: log(1e-3)...log(1e7), using: &random))
      let rounded = CapacityGrid.milliseconds(step: CapacityGrid.step(ofObjective: objective))
      #expect(rounded <= objective && rounded >= objective * 0.996)
      let percentile = 1 - exp(Double.random(in: log(1e-4)...log(0.9), using: &random))
      let tail = try #require(CapacityGrid.tail(percentile: percentile))
      #expect(tail <= (1 - percentile) * (1 + 1e-8))
      let cv2 = exp(Double.random(in: 1e-9...log(1000), using: &random))
      #expect(CapacityGrid.burstiness(cv2: cv2) >= cv2 * (1 - 1e-8))
    }
    #expect(
      [0.5, 0.9, 0.95, 0.99, 0.999].map { CapacityGrid.tail(percentile: $0) ?? 0 }.map { ($0 * 1e6).rounded() } == [
        500_000, 100_000, 50_000, 10_000, 1000,
      ])
    #expect(CapacityGrid.tail(percentile: 0.99995) == nil)
  }
}
