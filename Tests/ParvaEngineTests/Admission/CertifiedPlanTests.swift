import ParvaEngine
import ParvaTestSupport
import Testing

/// Plans by rule `certified`.
@Suite struct CertifiedPlanTests {
  private static func input(_ seed: UInt64, workloads: Int, margin: Double = 0) throws -> PlanningInput {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    return RandomDemand.input(
      seed: seed, products: [product], models: 2, workloads: workloads, options: PlanningOptions(margin: margin))
  }

  @Test(
    "every planner's plan passes the checker, with and without what was known before",
    arguments: Planners.all.map(\.name))
  func checked(_ name: String) throws {
    let planner = try #require(Planners.named(name))
    for seed in UInt64(0)..<2 {
      let input = try Self.input(seed, workloads: 10)
      let plan = planner.plan(input)
      #expect(plan.admission == "certified" && plan.margin == 0)
      #expect(PlanChecker.violations(of: plan, against: input) == [], "seed \(seed)")
      var fresh = input
      fresh.capacities = CapacityCache()
      #expect(PlanChecker.violations(of: plan, against: fresh) == [], "seed \(seed)")
      #expect(planner.plan(fresh) == plan, "seed \(seed)")
    }
  }

  @Test("plans go by the queue of each workload, and a plan for one queue is refused for a queue for each process")
  func queues() throws {
    var harder = 0
    for seed in UInt64(40)..<44 {
      let shared = try Self.input(seed, workloads: 6)
      var own = shared
      for index in own.workloads.indices { own.workloads[index].declaredQueue = .perProcess }
      let (plan, other) = (OptimalPlanner().plan(shared), OptimalPlanner().plan(own))
      #expect(PlanChecker.violations(of: other, against: own) == [], "seed \(seed)")
      let usesProcesses = plan.gpus.flatMap(\.segments).contains { $0.processes > 1 }
      guard usesProcesses else { continue }
      // Where an SLO is so loose that both queues reach the highest load of the grid, nothing is too much.
      harder += PlanChecker.violations(of: plan, against: own).map(\.code).contains(.overCapacity) ? 1 : 0
    }
    #expect(harder > 0)
  }

  @Test(
    "a limit of processes that each workload has is the plan's own limit, under every rule",
    arguments: [AdmissionRule.certified, .halfSLO])
  func processLimits(_ rule: AdmissionRule) throws {
    var changed = 0
    for seed in UInt64(60)..<64 {
      var input = try Self.input(seed, workloads: 6)
      input.options.admission = rule
      input.options.certificate = true
      for limit in 1...2 {
        var each = input
        var all = input
        for index in each.workloads.indices { each.workloads[index].maxProcesses = limit }
        all.options.maxProcesses = limit
        let (plan, other) = (OptimalPlanner().plan(each), OptimalPlanner().plan(all))
        #expect(plan.gpus == other.gpus && plan.unplaced.map(\.code) == other.unplaced.map(\.code), "seed \(seed)")
        #expect(plan.summary.lowerBound == other.summary.lowerBound, "seed \(seed)")
        #expect(PlanChecker.violations(of: plan, against: each) == [], "seed \(seed)")
        // What is planned without the limit breaks it somewhere.
        let free = PlanChecker.violations(of: OptimalPlanner().plan(input), against: each)
        changed += free.contains { $0.code == .tooManyProcesses } ? 1 : 0
      }
    }
    #expect(changed > 0)
  }

  @Test("a limit of one workload binds that workload alone")
  func processLimitOfOne() throws {
    for seed in UInt64(70)..<74 {
      var input = try Self.input(seed, workloads: 6)
      input.workloads[2].maxProcesses = 1
      // More than the plan allows is no wish that counts.
      input.workloads[3].maxProcesses = 64
      let plan = OptimalPlanner().plan(input)
      #expect(PlanChecker.violations(of: plan, against: input) == [], "seed \(seed)")
      let limited = plan.gpus.flatMap(\.segments).filter { $0.workload == input.workloads[2].id }
      #expect(!limited.isEmpty && limited.allSatisfy { $0.processes == 1 }, "seed \(seed)")
    }
  }

  @Test("the checker refuses a segment that is given more than is certified, and one that misses its SLO")
  func refused() throws {
    let input = try Self.input(1, workloads: 4)
    var plan = OptimalPlanner().plan(input)
    plan.gpus[0].segments[0].capacity *= 1.01
    #expect(PlanChecker.violations(of: plan, against: input).map(\.code).contains(.overCapacity))
    var hasty = input
    for index in hasty.workloads.indices { hasty.workloads[index].sloLatencyMs = 0.5 }
    #expect(PlanChecker.violations(of: OptimalPlanner().plan(input), against: hasty).map(\.code).contains(.sloMissed))
  }

  @Test("a margin divides capacities, and the checker holds a plan to it")
  func margin() throws {
    let input = try Self.input(2, workloads: 1)
    var reserved = input
    reserved.options.margin = 0.25
    let (plan, other) = (OptimalPlanner().plan(input), OptimalPlanner().plan(reserved))
    #expect(other.margin == 0.25)
    #expect(PlanChecker.violations(of: other, against: reserved) == [])
    #expect(PlanChecker.violations(of: plan, against: reserved).map(\.code).contains(.overCapacity))
  }

  @Test("a refusal names an SLO that is then served, and hardly a smaller one is")
  func leastObjective() throws {
    var input = try Self.input(3, workloads: 1)
    input.workloads[0].sloLatencyMs = 0.01
    input.workloads[0].rate = 1e-3
    let refusal = try #require(OptimalPlanner().plan(input).unplaced.first)
    #expect(refusal.code == .sloUnreachable)
    let words = refusal.message.split(separator: " ")
    let index = try #require(words.lastIndex(of: "ms"))
    let least = try #require(Double(words[index - 1]))
    input.workloads[0].sloLatencyMs = least
    #expect(OptimalPlanner().plan(input).unplaced.isEmpty)
    input.workloads[0].sloLatencyMs = least * 0.98
    #expect(OptimalPlanner().plan(input).unplaced.map(\.code) == [.sloUnreachable])
  }

  @Test("a trace that is not there and a percentile beyond certainty are refused with the reason")
  func refusals() throws {
    var input = try Self.input(4, workloads: 2)
    input.workloads[0].arrivals = .trace(name: "monday")
    input.workloads[1].percentile = 0.99999
    let refusals = OptimalPlanner().plan(input).unplaced
    #expect(refusals.map(\.code) == [.unknownTrace, .sloUnreachable])
    #expect(refusals[0].message.contains("monday") && refusals[1].message.contains("0.9999"))
    input.traces = ["monday": try #require(ArrivalRecording(name: "monday", arrivals: (0..<500).map(Double.init)))]
    input.workloads[0].sloLatencyMs = 60_000
    #expect(OptimalPlanner().plan(input).unplaced.map(\.workload) == ["w1"])
  }

  struct Published: Sendable, CustomTestStringConvertible {
    var scenario: Int
    var gpus: Int
    var testDescription: String { "scenario \(scenario)" }
  }

  @Test(
    "Poisson arrivals at the 99th percentile: the published scenarios",
    .enabled(if: SharedData.isPresent, "the shared measurements are not beside this checkout"),
    arguments: zip(1...6, [2, 3, 5, 7, 13, 15]).map { Published(scenario: $0, gpus: $1) })
  func published(_ fact: Published) throws {
    let input = PlanningInput(
      workloads: try PublishedScenarios.workloads(fact.scenario),
      pools: [Pool(product: try PublishedScenarios.product)], profiles: try PublishedScenarios.measuredProfiles())
    let plan = OptimalPlanner().plan(input)
    #expect(PlanChecker.violations(of: plan, against: input) == [])
    #expect(plan.unplaced.isEmpty)
    #expect(plan.summary.gpuCount <= fact.gpus)
  }
}
