import ParvaControlTestSupport
import ParvaEngine
import ParvaHTTP
import ParvaTestSupport
import Synchronization
import Testing

@testable import ParvaControl

/// Plans well until it is told to leave one workload in three out.
private final class ForgetfulPlanner: Planner {
  let name = "forgetful"
  let summary = "leaves workloads out"
  let forgets = Mutex(false)

  func plan(_ input: PlanningInput, _ context: PlanningContext) -> Plan {
    guard forgets.withLock({ $0 }) else { return OptimalPlanner().plan(input, context) }
    var fewer = input
    fewer.workloads = input.workloads.enumerated().filter { $0.offset % 3 != 1 }.map(\.element)
    fewer.current = nil
    var plan = OptimalPlanner().plan(fewer, context)
    let left = input.workloads.enumerated().filter { $0.offset % 3 == 1 }.map(\.element.id)
    plan.unplaced += left.map { Unserved(workload: $0, code: .noStock, message: "forgotten") }
    plan.status = .infeasible
    return plan
  }
}

@Suite struct PlanningDutyTests {
  private static func input(_ seed: UInt64, stock: Int?) throws -> PlanningInput {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    return RandomDemand.input(seed: seed, products: [product], models: 4, workloads: 25, stock: stock)
  }

  @Test("P2: a plan that serves fewer of the same demand gives way to the one in force", arguments: 0..<12)
  func keepsWhatServesMore(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var input = try Self.input(seed, stock: Bool.random(using: &random) ? nil : Int.random(in: 3...9, using: &random))
    let inForce = try PlanningDuty.perform(
      PlanningJob(planner: OptimalPlanner(), input: input, patience: .seconds(3600)))
    input.current = inForce
    let planner = ForgetfulPlanner()
    planner.forgets.withLock { $0 = true }
    let job = PlanningJob(planner: planner, input: input, patience: .seconds(3600))
    let own = ServedDemand(by: planner.plan(input), of: input.workloads)
    let before = ServedDemand(by: inForce, of: input.workloads)
    let plan = try PlanningDuty.perform(job)
    #expect(plan == (own < before ? inForce : planner.plan(input)), "seed \(seed)")
    #expect(!(ServedDemand(by: plan, of: input.workloads) < before), "seed \(seed)")
  }

  @Test("P2: a rate that falls costs no other workload its service", arguments: 0..<12)
  func aFallingRateEvictsNothing(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var input = try Self.input(seed, stock: Int.random(in: 3...9, using: &random))
    input.current = try PlanningDuty.perform(
      PlanningJob(planner: OptimalPlanner(), input: input, patience: .seconds(3600)))
    let before = ServedDemand(by: try #require(input.current), of: input.workloads)
    let index = Int.random(in: input.workloads.indices, using: &random)
    input.workloads[index].rate *= 0.7
    let planner = ForgetfulPlanner()
    planner.forgets.withLock { $0 = true }
    let plan = try PlanningDuty.perform(
      PlanningJob(planner: planner, input: input, patience: .seconds(3600)))
    #expect(!(ServedDemand(by: plan, of: input.workloads) < before), "seed \(seed)")
    #expect(PlanChecker.violations(of: plan, against: input).isEmpty, "seed \(seed)")
  }

  @Test("P2: the plan in force does not come back for a demand or a fleet that it does not fit", arguments: 0..<6)
  func doesNotKeepWhatIsIllegal(seed: UInt64) throws {
    var input = try Self.input(seed, stock: 9)
    input.current = try PlanningDuty.perform(
      PlanningJob(planner: OptimalPlanner(), input: input, patience: .seconds(3600)))
    input.pools[0].count = 1
    let plan = try PlanningDuty.perform(
      PlanningJob(planner: OptimalPlanner(), input: input, patience: .seconds(3600)))
    #expect(plan.gpus.count <= 1 && PlanChecker.violations(of: plan, against: input).isEmpty, "seed \(seed)")
  }

  /// A plan without the revision of the demand that it covers.
  private static func content(_ plan: String) -> String { plan.replacing(/"demandRevision": ?\d+/, with: "") }

  @Test("P2: the controller keeps its plan where a new one would serve fewer")
  func theControllerKeepsItsPlan() async throws {
    let planner = ForgetfulPlanner()
    var setup = try Harness.builtIn
    setup.planner = planner
    let api = try await Harness(planning: setup)
    let bodies = (0..<6).map { Bodies.workload("w\($0)", rate: 400) }
    #expect(
      await api.send(
        "POST", "/v1/workloads/batch", body: "{\"workloads\":[\(bodies.joined(separator: ","))]}"
      ).status == 201)
    let before = await api.send("GET", "/v1/plan")
    #expect(before.json("unplaced", "0") == nil)
    planner.forgets.withLock { $0 = true }
    let labelled = Bodies.workload("w1", rate: 400, labels: #"{"team":"vision"}"#)
    #expect(await api.send("PUT", "/v1/workloads/w1", body: labelled).status == 200)
    let after = await api.send("GET", "/v1/plan")
    #expect(after.headers["Parva-Demand-Revision"] == "2")
    #expect(Self.content(after.text) == Self.content(before.text))
    #expect(after.headers["Parva-Plan-Revision"] == before.headers["Parva-Plan-Revision"])
  }
}
