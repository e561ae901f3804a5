import Foundation
import ParvaControl
import ParvaControlTestSupport
import ParvaEngine
import ParvaHTTP
import Testing

@Suite struct FleetHandlersTests {
  private static func put(_ api: Harness, _ id: String, rate: Double) async {
    let answer = await api.send("PUT", "/v1/workloads/\(id)", body: Bodies.workload(id, rate: rate))
    #expect([200, 201].contains(answer.status), "\(answer.problem)")
    // Waits for the plan that covers it.
    #expect(await api.send("GET", "/v1/plan").status == 200)
  }

  @Test("a lower rate that is held is told with its end, and costs no other plan")
  func heldRatesAreTold() async throws {
    let api = try await Harness { $0.calm = SteadyRate.Policy(band: 0.1, hold: 3600) }
    await Self.put(api, "w", rate: 100)
    let before = await api.send("GET", "/v1/plan").headers["Parva-Plan-Revision"]
    #expect(await api.send("GET", "/v1/fleet").json("holds", "count") == "0")
    await Self.put(api, "w", rate: 50)
    #expect(await api.send("GET", "/v1/plan").headers["Parva-Plan-Revision"] == before)
    let held = await api.send("GET", "/v1/fleet")
    #expect(held.json("holds", "workloads", "0", "id") == "w")
    #expect(held.json("holds", "workloads", "0", "rate") == "50")
    #expect(held.json("holds", "workloads", "0", "plannedRate") == "100")
    #expect(held.json("holds", "next") == held.json("holds", "workloads", "0", "until"))
    await Self.put(api, "w", rate: 95)
    let calm = await api.send("GET", "/v1/fleet")
    #expect(calm.json("holds", "count") == "1" && calm.json("holds", "next") == nil)
    await Self.put(api, "w", rate: 200)
    #expect(await api.send("GET", "/v1/fleet").json("holds", "count") == "0")
    #expect(api.controller.board.view.plan?.rates["w"] == 200)
    // What was planned for is held on after a restart.
    await Self.put(api, "w", rate: 20)
    let next = try await api.restarted { $0.calm = SteadyRate.Policy(band: 0.1, hold: 3600) }
    _ = await next.controller.board.wait(for: .seconds(60)) { $0.plan?.origin == .planned }
    #expect(next.controller.board.view.plan?.rates["w"] == 200)
    try await next.controller.stop()
  }

  @Test("plans follow a lower rate by themselves once the hold is over")
  func plansFollowAfterTheHold() async throws {
    let api = try await Harness { $0.calm = SteadyRate.Policy(band: 0.1, hold: 0.2) }
    await Self.put(api, "w", rate: 100)
    await Self.put(api, "w", rate: 50)
    let view = await api.controller.board.wait(for: .seconds(60)) { $0.plan?.rates["w"] == 50 }
    #expect(view.plan?.rates["w"] == 50)
    #expect(view.holds.isEmpty)
    try await api.controller.stop()
    let plain = try await Harness()
    let fleet = await plain.send("GET", "/v1/fleet")
    #expect(fleet.status == 200 && fleet.json("holds") == nil)
    try await plain.controller.stop()
  }

  @Test("deep falls are followed sooner than small ones, and what is asked for is planned for all along")
  func deepFallsWaitLess() async throws {
    let api = try await Harness { $0.calm = SteadyRate.Policy(band: 0.1, hold: 3600, depth: 0.00005) }
    await Self.put(api, "deep", rate: 100)
    await Self.put(api, "small", rate: 100)
    await Self.put(api, "small", rate: 80)
    await Self.put(api, "deep", rate: 10)
    // 3600 s x 0.00005 are 0.18 s for a fall by all, so 0.2 s for 90 % and 0.9 s for 20 %.
    let first = await api.controller.board.wait(for: .seconds(60)) { $0.plan?.rates["deep"] == 10 }
    #expect(first.plan?.rates["deep"] == 10)
    let second = await api.controller.board.wait(for: .seconds(60)) { $0.plan?.rates["small"] == 80 }
    #expect(second.plan?.rates == ["deep": 10, "small": 80] && second.holds.isEmpty)
    try await api.controller.stop()
  }

  @Test("what is held gives way where another workload lacks the room")
  func heldRatesGiveWay() async throws {
    var setup = try Harness.builtIn
    setup.pools[0].count = 1
    var all = Samples.workload("all", rate: 1e6)
    all.allowsPartial = true
    let most = setup.planner.plan(
      PlanningInput(workloads: [all], pools: setup.pools, profiles: setup.catalogue, options: setup.options))
    let room = try #require(most.partial.first?.served)
    let api = try await Harness(planning: setup) { $0.calm = SteadyRate.Policy(band: 0.1, hold: 3600) }
    await Self.put(api, "a", rate: room * 0.6)
    await Self.put(api, "a", rate: room * 0.1)
    #expect(api.controller.board.view.holds.map(\.workload) == ["a"])
    await Self.put(api, "b", rate: room * 0.6)
    let view = api.controller.board.view
    #expect(view.plan?.plan.unplaced == [] && view.holds.isEmpty)
    try await api.controller.stop()
  }
}
