import Foundation
import ParvaTestSupport
import Testing

@testable import ParvaEngine

/// The judge of certified capacities: against theory, and against the rule whose claims it judges in code of its own.
@Suite struct CertifiedJudgeTests {
  @Test("the queue serves what waits, oldest first, with the process that is free first")
  func queue() {
    var queue = ReferenceQueue(execution: [10, 12, 15], processes: 2, freeAt: 1)
    let arrivals = [0.0, 0.5, 2, 3, 4, 5, 30]
    var batches: [Range<Int>] = []
    var ends: [Double] = []
    queue.serve(arrivals.span) { batch, done in
      batches.append(batch)
      ends.append(done)
      return done < 40
    }
    // At 1 two wait; at 2 the other process takes the third alone, and at 12 the three that came meanwhile.
    #expect(batches == [0..<2, 2..<3, 3..<6, 6..<7])
    #expect(ends == [13, 12, 27, 40])
  }

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
    "M/D/1: what is kept holds by Erlang's formula, and at little more load it does not", arguments: [1.5, 3, 8, 16])
  func singleServer(_ objective: Double) throws {
    let point = ProfilePoint(profile: 0, batch: 1, processes: 1, throughput: 100, latencyMs: 10)
    let profile = ModelProfile(model: "m", product: "A100-80GB", source: .measured, points: [point])
    let table = ReferenceMemory().table(profile, instance: 0, .shared, .drawn(cv2: 1), tail: 0.01)
    let load = table.capacity(0, ReferenceGrid.objective(10 * objective)) / 100
    #expect(Self.waitsLonger(than: objective - 1, load: load) <= 0.01)
    #expect(Self.waitsLonger(than: objective - 1, load: load * 1.05 + 0.004) > 0.01)
  }

  struct Stream: Sendable, CustomTestStringConvertible {
    var arrivals: ArrivalProcess
    var seeds: Range<UInt64>
    var queue = QueueForm.shared
    var rate = 1.0
    var testDescription: String { "\(arrivals), queue \(queue), \(rate)/s" }
  }

  @Test(
    "what the rule offers is confirmed to the step, and three percent more is refused",
    arguments: [
      Stream(arrivals: .poisson, seeds: 0..<8), Stream(arrivals: .gamma(cv2: 4), seeds: 8..<12),
      Stream(arrivals: .trace(name: "bursts"), seeds: 12..<14),
      Stream(arrivals: .poisson, seeds: 14..<18, queue: .perProcess),
      Stream(arrivals: .gamma(cv2: 4), seeds: 18..<20, queue: .perProcess),
      Stream(arrivals: .trace(name: "bursts"), seeds: 20..<21, queue: .perProcess),
      Stream(arrivals: .trace(name: "bursts"), seeds: 21..<23, rate: 300),
      Stream(arrivals: .deterministic, seeds: 23..<25, rate: 150),
      Stream(arrivals: .gamma(cv2: 0.3), seeds: 25..<27, rate: 80),
      Stream(arrivals: .deterministic, seeds: 27..<28, queue: .perProcess, rate: 60),
    ])
  func agreement(_ stream: Stream) throws {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    var judged = 0
    for seed in stream.seeds {
      var random = SeededGenerator(seed: seed)
      let profile = RandomDemand.profile(model: "m", product, &random)
      var times: [Double] = []
      for index in 0..<4000 {
        times.append((times.last ?? 0) + (index / 100 % 4 == 0 ? 0.3 : 1) * random.exponential())
      }
      let input = PlanningInput(
        workloads: [], pools: [Pool(product: product)], profiles: ProfileCatalogue([profile]),
        options: PlanningOptions(margin: seed % 2 == 0 ? 0 : 0.1),
        traces: ["bursts": try #require(ArrivalRecording(name: "bursts", arrivals: times))])
      let workload = Workload(
        id: "w", model: "m", rate: stream.rate,
        sloLatencyMs: exp(Double.random(in: log(20)...log(2000), using: &random)),
        percentile: seed % 3 == 0 ? 0.95 : 0.99, arrivals: stream.arrivals, declaredQueue: stream.queue)
      let admission = try #require(CertifiedAdmission(workload, profile, input))
      let judge = CertifiedJudge(input)
      let most = judge.most(workload, profile, maxProcesses: 3)
      for kind in product.plannedProfiles {
        let step = CapacityGrid.step(ofObjective: workload.sloLatencyMs)
        var offer = admission.table(kind)?.offer(step: step, maxProcesses: admission.mostProcesses) ?? Offer.none
        offer.capacity /= 1 + input.options.margin
        #expect((most[kind] ?? 0) == offer.capacity, "seed \(seed), profile \(kind)")
        guard offer.capacity > 0 else { continue }
        let point = try #require(
          profile.points.first {
            $0.profile == kind && $0.batch == Int(offer.batch) && $0.processes == Int(offer.processes)
          })
        let faults = judge.faults(
          [1, 1.03].map { factor in
            CapacityClaim(workload: workload, profile: profile, point: point, capacity: offer.capacity * factor)
          }, .serial)
        #expect(faults[0] == nil, "seed \(seed), profile \(kind)")
        guard case .overCapacity = faults[1] else {
          Issue.record("seed \(seed), profile \(kind): 3 % more than \(offer.capacity) is confirmed")
          continue
        }
        judged += 1
      }
    }
    #expect(judged >= (stream.queue == .shared ? 6 : 3))
  }

  @Test("a plan that loads one point three percent too high is refused at that segment")
  func overloadedPlan() throws {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    let input = RandomDemand.input(
      seed: 21, products: [product], models: 2, workloads: 8, options: PlanningOptions(headroom: false))
    let plan = OptimalPlanner().plan(input)
    #expect(PlanChecker.violations(of: plan, against: input) == [])
    for gpu in plan.gpus.indices {
      var wrong = plan
      wrong.gpus[gpu].segments[0].capacity *= 1.03
      let found = PlanChecker.violations(of: wrong, against: input).filter { $0.code == .overCapacity }
      #expect(found.map(\.segment) == [wrong.gpus[gpu].segments[0].id])
    }
  }

  @Test("a certificate by rule certified is worked out again to the same bound")
  func certificate() throws {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    for seed in UInt64(30)..<32 {
      var input = RandomDemand.input(
        seed: seed, products: [product], models: 2, workloads: 6, options: PlanningOptions(certificate: true))
      let plan = OptimalPlanner().plan(input)
      input.capacities = CapacityCache()
      let verdict = CertificateChecker(input, plan).judge(try #require(plan.certificate))
      #expect(verdict.violations == [], "seed \(seed)")
      let (bound, claimed) = (try #require(verdict.verifiedBound), try #require(plan.summary.lowerBound))
      #expect(verdict.kind == .exhaustive || bound >= claimed - 1e-6, "seed \(seed)")
    }
  }
}
