import Foundation
import ParvaTestSupport
import Testing

@testable import ParvaEngine

/// Capacities under a random share of a stream: of a recording, and of one that is smoother than Poisson.
@Suite struct PartCapacityTests {
  /// A recording in which a tenth of the time has several times the requests of the rest.
  private static func bursts(_ count: Int, _ random: inout SeededGenerator) throws -> ArrivalRecording {
    var times: [Double] = []
    for index in 0..<count {
      times.append((times.last ?? 0) + (index / 100 % 4 == 0 ? 0.2 : 1) * random.exponential())
    }
    return try #require(ArrivalRecording(name: "bursts", arrivals: times))
  }

  enum Form: CaseIterable, Sendable { case recording, even, erlang }

  @Test("a random share of the whole keeps the percentile in a plain simulation of its own", arguments: Form.allCases)
  func promise(_ form: Form) throws {
    var random = SeededGenerator(seed: TestSeed.of(offset: 0))
    let recording = try Self.bursts(2000, &random)
    let whole: WholeStream =
      switch form {
      case .recording: .recording(recording)
      case .even: .even
      case .erlang: .erlang(stages: 4)
      }
    var (broken, judged, lateness): ([String], Int, Double) = ([], 0, 0)
    for number in 0..<50 {
      let point = RandomQueue(mostProcesses: 3, largest: 5, &random)
      let most = try #require(point.points.last).throughput
      let tail = Bool.random(using: &random) ? 0.01 : 0.05
      let declared = most * exp(Double.random(in: log(0.2)...log(12), using: &random))
      let rate = form == .recording ? CapacityGrid.rate(below: declared) : CapacityGrid.rate(above: declared)
      let table = RandomQueue.table(point.points, arrivals: .part(of: whole, rate: rate), tail: tail)
      let objective = point.full * exp(Double.random(in: log(1.05)...log(8), using: &random))
      let step = CapacityGrid.step(ofObjective: objective)
      let capacity = try #require(table.capacity(batch: point.limit, processes: point.processes, step: step))
      guard capacity > 0 else { continue }
      let share = min(1, capacity / rate)
      let pace = max(capacity, rate)
      var place = Int.random(in: 0..<recording.gaps.count, using: &random)
      let gap = { () -> Double in
        switch form {
        case .even: return 1
        case .erlang: return (0..<4).reduce(0) { sum, _ in sum + random.exponential() / 4 }
        case .recording:
          place = (place + 1) % recording.gaps.count
          return recording.gaps[place]
        }
      }
      let late = try #require(
        point.lateness(table, objective: objective) {
          var sum = gap()
          while Double.random(in: 0..<1, using: &random) >= share { sum += gap() }
          return sum * 1000 / pace
        })
      if late.least > tail {
        broken.append(
          "point \(number): \(late.mean) late of \(tail), b \(point.limit) p \(point.processes), share \(share)")
      }
      lateness += late.mean / tail
      judged += 1
    }
    #expect(judged > 25)
    #expect(broken.isEmpty, "\(broken)")
    // Recordings are held to a Poisson stream beside them, and both are rounded; part of the promise is used all the same.
    #expect(lateness / Double(judged) > 0.15, "\(lateness / Double(judged))")
  }

  @Test("a recording binds whole where one segment has all of it, and hardly where it has little")
  func betweenTheExtremes() throws {
    var random = SeededGenerator(seed: 11)
    let recording = try Self.bursts(8000, &random)
    let points = [1, 2, 4, 8].map { RandomQueue.point(batch: $0, processes: 1, latencyMs: 10 + Double($0)) }
    let step = CapacityGrid.step(ofObjective: 60)
    let capacity = { (arrivals: CertifiedArrivals) throws in
      try #require(RandomQueue.table(points, arrivals: arrivals).capacity(batch: 8, processes: 1, step: step))
    }
    let poisson = try capacity(.poisson)
    let whole = try capacity(.part(of: .recording(recording), rate: 1))
    let parts = try [0.2, 1, 2, 4, 16, 64].map {
      try capacity(.part(of: .recording(recording), rate: CapacityGrid.rate(below: $0 * poisson)))
    }
    #expect(whole < 0.8 * poisson)
    for (more, less) in zip(parts.dropFirst(), parts) { #expect(more >= 0.98 * less, "\(parts)") }
    #expect(parts[0] == whole)
    #expect(try #require(parts.last) > 0.97 * poisson, "\(parts) of \(poisson)")
    #expect(parts.allSatisfy { $0 <= poisson })
  }

  @Test("an even stream that one segment has whole may fill it, and shared out at random it is worth less")
  func evenWhole() throws {
    let points = [RandomQueue.point(batch: 1, processes: 1, latencyMs: 10)]
    let step = CapacityGrid.step(ofObjective: 15)
    let capacity = { (arrivals: CertifiedArrivals) throws in
      try #require(RandomQueue.table(points, arrivals: arrivals).capacity(batch: 1, processes: 1, step: step))
    }
    let poisson = try capacity(.poisson)
    #expect(try capacity(.part(of: .even, rate: 90)) >= 90)
    #expect(poisson < 20)
    #expect(try capacity(.part(of: .even, rate: 1000)) == poisson)
    #expect(try capacity(.part(of: .erlang(stages: 16), rate: 50)) >= 50)
  }

  @Test("what is certified in place of a declared stream is on the safe side of it")
  func arrivals() throws {
    var random = SeededGenerator(seed: TestSeed.of(offset: 1))
    let recording = try Self.bursts(100, &random)
    for _ in 0..<500 {
      let cv2 = Double.random(in: 0.001...3, using: &random)
      let margin = Double.random(in: 0...1, using: &random)
      let rate = exp(Double.random(in: log(1e-3)...log(1e6), using: &random))
      let arrivals = { (process: ArrivalProcess) in
        CertifiedArrivals(
          Workload(id: "w", model: "m", rate: rate, sloLatencyMs: 10, arrivals: process), margin: margin,
          traces: ["bursts": recording])
      }
      let all = rate * (1 + margin)
      switch try #require(arrivals(.gamma(cv2: cv2))) {
      case .poisson: #expect(cv2 > 0.5 && cv2 <= 1)
      case .gamma(let certified): #expect(cv2 > 1 && certified >= cv2 * (1 - 1e-8))
      case .part(of: .erlang(let stages), let whole):
        #expect(1 / Double(stages) >= cv2 * (1 - 1e-8) && cv2 <= 0.5)
        #expect(whole >= all && whole <= all * 33 / 32)
      case .part: Issue.record("a renewal stream is certified as another kind of stream")
      }
      guard case .part(of: .recording(recording), let whole) = try #require(arrivals(.trace(name: "bursts"))) else {
        Issue.record("a recording is certified as something else")
        continue
      }
      #expect(whole <= all && whole > all * 8 / 9 - 1e-9 * all)
      #expect(arrivals(.trace(name: "other")) == nil)
      #expect(arrivals(.poisson) == .poisson)
      let share = Double.random(in: 0...1, using: &random)
      #expect(CapacityGrid.share(above: share) >= share && CapacityGrid.share(above: share) <= share * 1.25)
      if let less = CapacityGrid.share(below: share) {
        #expect(less <= share && less >= share * 0.8)
      } else {
        #expect(share < 0.25)
      }
    }
  }
}
