import Dispatch
import ParvaTestSupport
import Testing

@testable import ParvaEngine

/// Tables that are asked several at a time: nothing but the time it takes may differ from asking them one by one.
@Suite struct CapacityWorkTests {
  private static let contexts: [(name: String, context: PlanningContext)] = [
    ("one core", .serial),
    (
      "one core, from the back",
      PlanningContext(
        forEach: { count, body in for index in (0..<count).reversed() { body(index) } }, shouldStop: { false })
    ),
    (
      "all cores",
      PlanningContext(
        forEach: { count, body in DispatchQueue.concurrentPerform(iterations: count, execute: body) },
        shouldStop: { false })
    ),
  ]

  /// Random demand with all forms of arrivals and queues, and percentiles that differ.
  private static func input(_ seed: UInt64, workloads: Int) throws -> PlanningInput {
    var random = SeededGenerator(seed: seed)
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    var input = RandomDemand.input(
      seed: seed, products: [product], models: 2, workloads: workloads,
      options: PlanningOptions(certificate: true, margin: Bool.random(using: &random) ? 0.1 : 0))
    var time = 0.0
    let times = (0..<300).map { _ in
      time += random.exponential()
      return time
    }
    let recording = try #require(ArrivalRecording(name: "recorded", arrivals: times))
    input.traces[recording.name] = recording
    let arrivals: [ArrivalProcess] = [
      .poisson, .poisson, .deterministic, .gamma(cv2: 0.3), .gamma(cv2: 4), .trace(name: "recorded"),
    ]
    for index in input.workloads.indices {
      input.workloads[index].arrivals = arrivals[Int.random(in: 0..<arrivals.count, using: &random)]
      input.workloads[index].percentile = [0.9, 0.95, 0.99][Int.random(in: 0..<3, using: &random)]
      if Int.random(in: 0..<3, using: &random) == 0 { input.workloads[index].declaredQueue = .perProcess }
      if Int.random(in: 0..<3, using: &random) == 0 { input.workloads[index].maxProcesses = 2 }
    }
    return input
  }

  @Test(
    "offers are those of each table asked alone, however many are asked at a time and on whatever cores",
    arguments: 0..<6)
  func offers(_ number: Int) throws {
    let seed = TestSeed.of(offset: UInt64(number))
    var random = SeededGenerator(seed: seed)
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    let input = try Self.input(seed, workloads: 5)
    func jobs() throws -> [CapacityWork.Job] {
      var fresh = input
      fresh.capacities = CapacityCache()
      var jobs: [CapacityWork.Job] = []
      for workload in fresh.workloads {
        let profile = try #require(fresh.profiles.profile(model: workload.model, product: product.name))
        let admission = try #require(CertifiedAdmission(workload, profile, fresh))
        let step = CapacityGrid.step(ofObjective: workload.sloLatencyMs)
        for kind in product.plannedProfiles {
          // Kinds without points, and tables that are asked nothing, are among them.
          let steps = [[step + 300, step], [step], []][jobs.count % 3]
          jobs.append(CapacityWork.Job(admission: admission, kind: kind, steps: steps))
        }
      }
      return jobs
    }
    let count = Int.random(in: 1...9, using: &random)
    let alone = try jobs().map { job in
      job.steps.map { step in
        job.admission.table(job.kind)?.offer(step: step, maxProcesses: job.admission.mostProcesses) ?? Offer.none
      }
    }
    for (name, context) in Self.contexts {
      let answers = CapacityWork(jobs: try jobs()).answers(context)
      #expect(answers.map { $0.map(\.offer) } == alone, "seed \(seed), \(name)")
      #expect(!answers.joined().contains { !$0.isBest }, "seed \(seed), \(name)")
    }
    // As many as there are lanes, or fewer.
    let few = try jobs().prefix(count)
    let offers = CapacityWork(jobs: Array(few)).answers(.serial).map { $0.map(\.offer) }
    #expect(offers == Array(alone.prefix(count)), "seed \(seed), \(count)")
    #expect(alone.joined().contains { $0.capacity > 0 }, "seed \(seed)")
  }

  @Test("plans and certificates are those of capacities that were worked out one by one", arguments: 0..<6)
  func plans(_ number: Int) throws {
    let seed = TestSeed.of(offset: 100 + UInt64(number))
    var input = try Self.input(seed, workloads: 6)
    input.capacities = CapacityCache()
    // Asked alone and tightest first, so that nothing is left for asking several at a time.
    for workload in input.workloads.sorted(by: { $0.sloLatencyMs < $1.sloLatencyMs }) {
      for pool in input.pools {
        guard let profile = input.profiles.profile(model: workload.model, product: pool.product.name),
          let admission = CertifiedAdmission(workload, profile, input)
        else { continue }
        let step = CapacityGrid.step(ofObjective: workload.sloLatencyMs)
        for kind in pool.product.plannedProfiles {
          _ = admission.table(kind)?.offer(step: step, maxProcesses: admission.mostProcesses)
        }
      }
    }
    let slowly = OptimalPlanner().plan(input)
    for (name, context) in Self.contexts {
      input.capacities = CapacityCache()
      let plan = OptimalPlanner().plan(input, context)
      #expect(plan == slowly, "seed \(seed), \(name)")
      #expect(plan.certificate == slowly.certificate, "seed \(seed), \(name)")
    }
    #expect(PlanChecker.violations(of: slowly, against: input) == [], "seed \(seed)")
  }
}
