import ParvaControlTestSupport
import ParvaEngine
import ParvaHTTP
import Synchronization
import Testing

@testable import ParvaControl

@Suite struct PlanningPaceTests {
  @Test("S7: the rest after a planning is in proportion to it, and bounded")
  func rest() {
    let pace = PlanningPace()
    #expect(pace.rest(after: .milliseconds(3)) == .milliseconds(6))
    #expect(pace.rest(after: .seconds(40)) == PlanningPace.longestRest)
    #expect(pace.retry == nil)
  }

  @Test("P1: failures in a row make rests and further attempts rarer, success ends it")
  func failures() {
    var pace = PlanningPace()
    var last = (rest: Duration.zero, retry: Duration.zero)
    for _ in 0..<40 {
      pace.ended(well: false)
      let now = (rest: pace.rest(after: .zero), retry: pace.retry ?? .zero)
      #expect(now.rest >= last.rest && now.retry >= last.retry)
      last = now
    }
    #expect(last == (PlanningPace.longestRest, PlanningPace.longestRetry))
    pace.ended(well: true)
    #expect(pace.rest(after: .zero) == .zero && pace.retry == nil)
  }

  /// Counts what it is asked.
  private final class CountingPlanner: Planner {
    let name = "counting"
    let summary = "optimal, counted"
    let plans = Mutex(0)

    func plan(_ input: PlanningInput, _ context: PlanningContext) -> Plan {
      plans.withLock { $0 += 1 }
      return OptimalPlanner().plan(input, context)
    }
  }

  @Test("S7: what is registered while the controller rests is planned once")
  func coalescing() async throws {
    // Rests that end when the test says so.
    let rests = Gate(isOpen: false)
    let planner = CountingPlanner()
    var setup = try Harness.builtIn
    setup.planner = planner
    let api = try await Harness(planning: setup) { configuration in
      configuration.sleep = { _ in await rests.pass() }
    }
    await rests.untilHeld()
    #expect(planner.plans.withLock { $0 } == 1, "the empty demand")
    for index in 0..<50 {
      #expect(await api.send("POST", "/v1/workloads", body: Bodies.workload("w\(index)")).status == 201)
    }
    #expect(planner.plans.withLock { $0 } == 1)
    rests.release()
    let plan = await api.send("GET", "/v1/plan")
    #expect(plan.headers["Parva-Demand-Revision"] == "50")
    #expect(planner.plans.withLock { $0 } == 2)
    await rests.untilHeld()
    rests.release()
    try await api.controller.stop()
    #expect(planner.plans.withLock { $0 } == 2, "nothing is planned twice")
  }
}
