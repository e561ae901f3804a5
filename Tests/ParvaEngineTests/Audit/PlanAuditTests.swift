import ParvaTestSupport
import Testing

@testable import ParvaEngine

/// A plan is believed in nothing that nobody can verify, and a true one in all.
@Suite struct PlanAuditTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var seed: UInt64
    var objective = PlanObjective.gpus
    var maxProcesses = 3
    var margin: Double?
    var stock: Int?
    var hasNodes = false
    var hasTenants = false
    var isCertified = false

    static let all: [Case] = [
      Case(testDescription: "GPUs", seed: 1),
      Case(testDescription: "GPUs, one process", seed: 2, maxProcesses: 1),
      Case(testDescription: "GPUs, two processes, certificate", seed: 3, maxProcesses: 2, isCertified: true),
      Case(testDescription: "cost", seed: 4, objective: .cost),
      Case(testDescription: "cost, one process, nodes", seed: 5, objective: .cost, maxProcesses: 1, hasNodes: true),
      Case(testDescription: "cost, certificate", seed: 6, objective: .cost, isCertified: true),
      Case(testDescription: "watts", seed: 7, objective: watts),
      Case(
        testDescription: "watts, tenants, certificate", seed: 8, objective: watts, hasTenants: true, isCertified: true),
      Case(testDescription: "GPUs, margin", seed: 9, margin: 0.1),
      Case(testDescription: "cost, margin, certificate", seed: 10, objective: .cost, margin: 0.25, isCertified: true),
      Case(testDescription: "scarce", seed: 11, stock: 2),
      Case(testDescription: "scarce, cost, certificate", seed: 12, objective: .cost, stock: 2, isCertified: true),
      Case(testDescription: "scarce, tenants, nodes", seed: 13, stock: 2, hasNodes: true, hasTenants: true),
    ]

    static let watts = PlanObjective(rawValue: "watts") ?? .gpus

    /// Two pools of several prices, and a plan of planner `optimal` for them.
    func made() throws -> (plan: Plan, input: PlanningInput) {
      let products = try ["A100-80GB", "A30-24GB"].map { try #require(ProductCatalogue.product(named: $0)) }
      var input = RandomDemand.input(
        seed: seed, products: products, models: 4, workloads: margin == nil ? 9 : 5, stock: stock,
        options: PlanningOptions(
          admission: margin == nil ? .halfSLO : .certified, maxProcesses: maxProcesses, objective: objective,
          certificate: isCertified, margin: margin ?? 0))
      for (index, figures) in [["hourlyCost": 3.5, "watts": 400], ["hourlyCost": 1.25, "watts": 165]].enumerated() {
        input.pools[index].figures = figures
        if hasNodes { input.pools[index].nodes = (0..<30).map { PoolNode(name: "n\(index)-\($0)", count: 1) } }
      }
      for index in input.workloads.indices {
        input.workloads[index].rate = min(input.workloads[index].rate, 300)
        if hasTenants {
          input.workloads[index].labels["team"] = index % 3 == 0 ? "a" : "b"
          input.workloads[index].constraints.exclusive = "team"
        }
        if stock != nil { input.workloads[index].allowsPartial = index % 2 == 0 }
      }
      return (OptimalPlanner().plan(input), input)
    }
  }

  private static func findings(
    _ plan: Plan, _ input: PlanningInput, maxProcesses: Int? = nil, _ context: PlanningContext = .serial
  ) -> PlanAudit.Findings {
    // What the plan was asked for is not known to the judge.
    var input = input
    input.options = PlanningOptions(admission: input.options.admission)
    return PlanAudit.findings(of: plan, against: input, maxProcesses: maxProcesses) { context }
  }

  @Test("a true plan is accepted, and all that it says verified", arguments: Case.all)
  func accepted(_ made: Case) throws {
    let (plan, planned) = try made.made()
    var input = planned
    input.capacities = CapacityCache()
    #expect(plan.objective == made.objective && plan.maxProcesses == made.maxProcesses)
    let found = Self.findings(plan, input)
    #expect(found.violations == [])
    #expect(found.reservations == [])
    #expect(found.isProvenAgain || found.proof?.provesOptimality == true || plan.summary.gap != 0)
  }

  @Test("a heuristic's plan is accepted, and who made it is told as not verified", arguments: Case.all)
  func heuristics(_ made: Case) throws {
    let (_, input) = try made.made()
    for planner in Planners.all where !planner.provesBound {
      let plan = planner.plan(input)
      #expect(plan.objective == nil)
      let found = Self.findings(plan, input)
      #expect(found.violations == [], "\(planner.name)")
      #expect(found.reservations.map(\.claim).contains("planner"), "\(planner.name)")
    }
  }

  @Test("a plan of which one thing is changed is refused", arguments: Case.all)
  func refused(_ made: Case) throws {
    let (plan, input) = try made.made()
    var tried = 0
    for change in PlanChange.all {
      var changed = plan
      change.make(&changed, input)
      guard changed != plan else { continue }
      tried += 1
      let found = Self.findings(changed, input)
      if let claim = change.reservation, found.reservations.map(\.claim).contains(claim) { continue }
      #expect(!found.violations.isEmpty, "\(change.name)")
    }
    #expect(tried > 30)
  }

  @Test("who is refused for nothing is found", arguments: [PlanObjective.gpus, .cost])
  func wrongRefusal(_ objective: PlanObjective) throws {
    let (plan, input) = try Case(testDescription: "", seed: 1, objective: objective).made()
    var empty = plan
    empty.gpus = []
    empty.unplaced = input.workloads.map { Unserved(workload: $0.id, code: .noStock, message: "") }
    empty.status = .infeasible
    empty.summary = PlanSummary(
      gpuCount: 0, lowerBound: 0, gap: 0, allocatedSlices: 0, externalFragmentation: 0, internalSlack: 0,
      profileSource: plan.summary.profileSource)
    #expect(Self.findings(empty, input).violations.map(\.code).contains(.wrongRefusal))
    // Reasons that only a controller knows are told as such.
    for index in empty.unplaced.indices { empty.unplaced[index].code = .quotaExceeded }
    let found = Self.findings(empty, input)
    #expect(found.violations == [] && found.reservations.map(\.claim) == ["unplaced"])
  }

  @Test("a node that no pool lists is no place", arguments: [true, false])
  func ghosts(_ spread: Bool) throws {
    let (plan, input) = try Case(testDescription: "", seed: 1).made()
    var ghosts = plan
    for index in ghosts.gpus.indices { ghosts.gpus[index].node = "ghost\(index)" }
    var asking = input
    let busy = try #require(plan.gpus.first?.segments.first?.workload)
    let index = try #require(input.workloads.firstIndex { $0.id == busy })
    if spread {
      asking.workloads[index].constraints.spread = Spread(over: .node, atLeast: 1)
    } else {
      asking.workloads[index].constraints.survive = Survival(over: .node, losses: 1)
    }
    #expect(!Self.findings(ghosts, asking).violations.isEmpty)
    let found = Self.findings(ghosts, input)
    #expect(found.violations == [] && found.reservations.map(\.claim) == ["node"])
  }

  @Test("a claim is about as many processes as the user says", arguments: 0..<4)
  func processes(_ seed: UInt64) throws {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    var input = RandomDemand.small(seed: seed, products: [product], workloads: 6)
    for workload in input.workloads {
      var profile = try #require(input.profiles.profile(model: workload.model, product: product.name, for: workload.id))
      // Two processes do three times as much.
      profile.points += profile.points.map { point in
        ProfilePoint(
          profile: point.profile, batch: point.batch, processes: 2, throughput: 3 * point.throughput,
          latencyMs: point.latencyMs)
      }
      input.profiles.insert(profile)
    }
    (input.options.maxProcesses, input.options.certificate) = (1, true)
    let plan = OptimalPlanner().plan(input)
    #expect(Self.findings(plan, input).violations == [])
    // The certificate is about one process; with more, less will do.
    #expect(Self.findings(plan, input, maxProcesses: 4).violations.map(\.code) == [.notOptimal])
  }

  @Test("a plan that does not say what it minimised is judged as one of fewest GPUs")
  func older() throws {
    var (plan, input) = try Case(testDescription: "", seed: 1).made()
    (plan.objective, plan.maxProcesses) = (nil, nil)
    #expect(Self.findings(plan, input).violations == [])
  }

  @Test("the judge uses the cores it is lent, and a search without time proves nothing wrong", arguments: 0..<12)
  func clock(_ seed: UInt64) throws {
    let (plan, input) = try Case(testDescription: "", seed: seed, objective: .cost).made()
    let hasty = PlanningContext(
      forEach: PlanningContext.serial.forEach, shouldStop: { true }, shouldHurry: { false }, shouldSettle: { true })
    let found = Self.findings(plan, input, hasty)
    #expect(Set(found.violations.map(\.code)).isSubset(of: [.unproven]), "\(found.violations)")
  }

  @Test("without time the proof of some plan is not found")
  func clockIsAsked() throws {
    var unproven = 0
    for seed in 0..<12 as Range<UInt64> {
      let (plan, input) = try Case(testDescription: "", seed: seed, objective: .cost).made()
      let hasty = PlanningContext(
        forEach: PlanningContext.serial.forEach, shouldStop: { true }, shouldHurry: { false }, shouldSettle: { true })
      unproven += Self.findings(plan, input, hasty).isProvenAgain ? 0 : 1
    }
    #expect(unproven > 0)
  }
}
