import Dispatch
import ParvaEngine
import ParvaTestSupport
import Testing

/// What happens in the course of a simulation, and that no request is ever lost sight of.
@Suite("Events of a simulation") struct SimulationEventsTests {
  private func input(
    rate: Double = 200, segments: Int = 2, sloMs: Double = 100, events: [SimulationEvent] = [],
    _ change: (inout SimulationOptions) -> Void = { _ in }
  ) throws -> SimulationInput {
    var options = SimulationOptions(duration: 100, warmup: 5, seeds: [3], buckets: 100)
    change(&options)
    return try SimulatedQueue.input(
      latenciesMs: [1: 5, 8: 20], batch: 8, rate: rate, sloMs: sloMs, segments: segments, events: events,
      options: options)
  }

  private func balances(_ figures: SimulationReport.WorkloadFigures) -> Bool {
    figures.requests == figures.completed + figures.pending + figures.lostRequests
      && figures.latencies.total == figures.completed + figures.pending
      && figures.withinSLO <= figures.latencies.total
  }

  @Test("a rate step and a ramp bring as many requests as the area under the curve")
  func rates() throws {
    let events: [SimulationEvent] = [
      .rate(time: 20, factor: 2, over: 0, workload: "w"), .rate(time: 40, factor: 0, over: 20, workload: nil),
      .rate(time: 80, factor: 1, over: 0, workload: nil),
    ]
    let found = try SimulatedQueue.run(input(events: events))
    // 20 at 1, 20 at 2, 20 falling to 0, 20 at 0, 20 at 1.
    let expected = 200.0 * (20 + 40 + 20 + 0 + 20)
    #expect(abs(Double(found.requests) - expected) < 4 * expected.squareRoot())
    #expect(balances(found))
    #expect(found.attainmentOverTime[65..<79].allSatisfy { $0 == nil })
  }

  @Test("a failed segment loses what it holds, and the other takes the stream")
  func failure() throws {
    let calm = try SimulatedQueue.run(input())
    let failed = try Simulator.run(
      input(events: [.failure(time: 50, target: .segment("w/0"), duration: nil)]))
    let found = try #require(failed.workloads.first)
    #expect(balances(found))
    #expect((1...16).contains(found.lost[.failure] ?? 0))
    #expect(found.requests == calm.requests)
    #expect(failed.gpus[0].loadOverTime[51...].allSatisfy { $0 == 0 })
    #expect(failed.gpus[1].loadOverTime[60...].reduce(0, +) > 1.3 * failed.gpus[1].loadOverTime[..<40].reduce(0, +))
    #expect(found.segments[0].utilisation > 0.4, "counts the time in which it was up")
  }

  @Test("a GPU that comes back takes requests again")
  func recovery() throws {
    let report = try Simulator.run(
      input(events: [.failure(time: 30, target: .gpu(1), duration: 20)]))
    let load = report.gpus[1].loadOverTime
    #expect(load[31..<50].allSatisfy { $0 == 0 })
    #expect(load[51...].allSatisfy { $0 > 0 })
    #expect(balances(try #require(report.workloads.first)))
  }

  @Test("retried requests are not lost while another segment is up")
  func retry() throws {
    let found = try SimulatedQueue.run(
      input(events: [.failure(time: 50, target: .gpu(0), duration: nil)]) { $0.failurePolicy = .retry })
    #expect(found.lostRequests == 0)
    #expect(balances(found))
  }

  @Test("without any segment up requests are lost, and counted", arguments: FailurePolicy.allCases)
  func unserved(_ policy: FailurePolicy) throws {
    let events: [SimulationEvent] = [0, 1].map { .failure(time: 50, target: .gpu($0), duration: 10) }
    let found = try SimulatedQueue.run(input(events: events) { $0.failurePolicy = policy })
    #expect(balances(found))
    let unserved = found.lost[.unserved] ?? 0
    #expect(abs(Double(unserved) - 2000) < 4 * 45)
    #expect(found.attainmentOverTime[55] == 0)
    #expect(found.attainmentOverTime[65].map { $0 > 0.9 } == true)
  }

  @Test("the remaining segments share in proportion to their capacities")
  func capacities() throws {
    var input = try input(rate: 100, segments: 3, events: [.failure(time: 0, target: .gpu(0), duration: nil)])
    input.plan = SimulatedQueue.plan(batch: 8, loads: [60, 20, 20], capacities: [60, 30, 90])
    let found = try SimulatedQueue.run(input)
    let batches = found.segments.map { $0.utilisation }
    #expect(batches[0] == 0)
    #expect(batches[2] > 2.2 * batches[1])
  }

  @Test("a new plan keeps what it keeps, drains what goes, and is up after its downtime")
  func replan() throws {
    let next = SimulatedQueue.plan(batch: 8, loads: [100, 50, 50])
    let report = try Simulator.run(input(events: [.replan(time: 40, plan: next, downtime: 20)]))
    let found = try #require(report.workloads.first)
    #expect(found.lostRequests == 0)
    #expect(balances(found))
    #expect(report.gpus.count == 3)
    #expect(report.gpus[2].loadOverTime[..<60].allSatisfy { $0 == 0 })
    #expect(report.gpus[2].loadOverTime[61...].allSatisfy { $0 > 0 })
    #expect(found.segments.map(\.plan) == [0, 0, 1])
    // From then on the loads of the new plan hold: half of the stream goes to the first segment.
    #expect(report.gpus[0].loadOverTime[62...].reduce(0, +) > 1.4 * report.gpus[1].loadOverTime[62...].reduce(0, +))
  }

  @Test("a plan with other batches restarts its segments: during the downtime nothing is up")
  func restart() throws {
    let next = SimulatedQueue.plan(batch: 4, loads: [100, 100])
    let report = try Simulator.run(input(events: [.replan(time: 40, plan: next, downtime: 10)]))
    let found = try #require(report.workloads.first)
    #expect(report.gpus.count == 2)
    #expect(abs(Double(found.lost[.unserved] ?? 0) - 2000) < 4 * 45)
    #expect(found.segments.map(\.batch) == [8, 8, 4, 4])
    #expect(found.lost[.failure] == 0)
    #expect(balances(found))
  }

  @Test(
    "what an old segment still holds when the new ones are up is lost or goes to them",
    arguments: FailurePolicy.allCases)
  func drain(_ policy: FailurePolicy) throws {
    let next = SimulatedQueue.plan(batch: 8, loads: [100, 100, 100])
    var input = try input(rate: 1000, events: [.replan(time: 40, plan: next, downtime: 2)]) {
      $0.failurePolicy = policy
    }
    // Another place on the GPU: the first two restart with their queues of some thousand requests.
    for index in 0..<2 { input.plan.gpus[index].segments[0].start = 1 }
    let report = try Simulator.run(input)
    let found = try #require(report.workloads.first)
    #expect(balances(found))
    #expect((found.lost[.failure] ?? 0 > 1000) == (policy == .lose))
    #expect(found.segments.allSatisfy { $0.utilisation <= 1 })
    #expect(report.gpus.allSatisfy { $0.loadOverTime.allSatisfy { $0 <= 1.0 / 7 + 1e-9 } })
  }

  @Test("a queue that overflows loses what comes beyond its limit")
  func overflow() throws {
    let found = try SimulatedQueue.run(input(rate: 2000, segments: 1) { $0.queueLimit = 50 })
    #expect(balances(found))
    #expect(found.longestQueue == 50)
    // 8 requests in 20 ms are what it can do.
    #expect(abs(Double(found.completed) - 400 * 100) < 60)
    #expect((found.lost[.overflow] ?? 0) > 150_000)
  }

  @Test("a workload without segments is lost as a whole")
  func withoutSegments() throws {
    var input = try input()
    input.workloads.append(Workload(id: "x", model: "m", rate: 10, sloLatencyMs: 100))
    let report = try Simulator.run(input)
    let found = try #require(report.workloads.last)
    #expect(found.workload.id == "x")
    #expect(found.attainment == 0)
    #expect(found.lost[.unserved] == found.requests)
  }

  @Test("the report does not depend on how runs are spread over cores, only on the seed")
  func determinism() throws {
    let product = SimulatedQueue.product
    let demand = RandomDemand.input(seed: 21, products: [product], models: 5, workloads: 12)
    let plan = ParvaGPUPlanner().plan(demand)
    let spread = PlanningContext(
      forEach: { count, body in DispatchQueue.concurrentPerform(iterations: count, execute: body) },
      shouldStop: { false })
    func fingerprint(_ seeds: [UInt64], _ context: PlanningContext) throws -> [String] {
      let options = SimulationOptions(duration: 5, warmup: 1, seeds: seeds, arrivals: .gamma(cv2: 4), buckets: 10)
      let report = try Simulator.run(
        SimulationInput(plan: plan, workloads: demand.workloads, profiles: demand.profiles, options: options), context)
      return report.workloads.map {
        "\($0.workload.id) \($0.requests) \($0.attainmentBySeed) \($0.latencies.mean) \($0.meanQueue) \($0.utilisation)"
      } + report.gpus.map { "\($0.loadOverTime)" }
    }
    let alone = try fingerprint([1, 2, 3], .serial)
    #expect(try fingerprint([1, 2, 3], spread) == alone)
    #expect(try fingerprint([1, 2, 4], spread) != alone)
  }

  @Test("a workload's stream does not depend on the others")
  func independence() throws {
    let both = RandomDemand.input(seed: 4, products: [SimulatedQueue.product], models: 2, workloads: 6)
    var half = both
    half.workloads.removeAll { $0.id == "w0" }
    let options = SimulationOptions(duration: 5, warmup: 1, seeds: [7], buckets: 1)
    func requests(_ input: PlanningInput) throws -> [String: Int] {
      let report = try Simulator.run(
        SimulationInput(
          plan: ParvaGPUPlanner().plan(input), workloads: input.workloads, profiles: input.profiles, options: options))
      return Dictionary(uniqueKeysWithValues: report.workloads.map { ($0.workload.id, $0.requests) })
    }
    var all = try requests(both)
    all["w0"] = nil
    #expect(try requests(half) == all)
  }

  // MARK: - Refusals

  @Test("refuses what the demand, the profiles or the plan do not have", arguments: SimulationRefusal.Code.allCases)
  func refuses(_ code: SimulationRefusal.Code) throws {
    var input = try input()
    switch code {
    case .unknownWorkload: input.plan.gpus[1].segments[0].workload = "other"
    case .wrongModel: input.plan.gpus[1].segments[0].model = "other"
    case .noProfile: input.profiles = ProfileCatalogue()
    case .unknownPoint: input.plan.gpus[1].segments[0].batch = 9
    case .unknownTrace:
      input.options.arrivals = nil
      input.workloads[0].arrivals = .trace(name: "monday")
    case .unknownTarget: input.events = [.failure(time: 1, target: .gpu(2), duration: nil)]
    }
    let error = try #require(throws: SimulationRefusals.self) { try Simulator.run(input) }
    let refusal = try #require(error.refusals.last)
    #expect(refusal.code == code)
    if code == .unknownTarget {
      #expect(refusal.event == 0)
    } else if code != .unknownTrace {
      #expect((refusal.plan, refusal.gpu, refusal.segment) == (0, 1, 0))
    }
  }
}
