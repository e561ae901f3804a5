import Foundation
import ParvaControlTestSupport
import ParvaEngine
import ParvaTestSupport
import ParvaWire
import Testing

@testable import ParvaControl

@Suite struct SteadyDemandTests {
  private static let calm = SteadyRate.Policy(band: 0.1, hold: 60)

  private static func demand(_ rates: [String: Double], model: String = "resnet50") -> Demand {
    Demand(
      revision: 1,
      registrations: RegistrationTable(
        rates.map { Samples.registration(Samples.workload($0.key, model: model, rate: $0.value)) }))
  }

  private static func rates(_ demand: Demand) -> [String: Double] {
    Dictionary(uniqueKeysWithValues: demand.registrations.rows.map { ($0.id, $0.workload.rate) })
  }

  @Test("a higher rate is planned for at once, a lower one after the hold, and one in the dead band never")
  func followsUpAtOnceAndDownLate() {
    var steady = SteadyDemand(Self.calm)
    #expect(Self.rates(steady.observe(Self.demand(["a": 100, "b": 100]), at: 0)) == ["a": 100, "b": 100])
    #expect(steady.next == nil && steady.holds(at: 0, date: Samples.time).isEmpty)
    #expect(Self.rates(steady.observe(Self.demand(["a": 50, "b": 95]), at: 10)) == ["a": 100, "b": 100])
    #expect(steady.next == 70)
    #expect(
      steady.holds(at: 30, date: Samples.time) == [
        RateHold(workload: "a", rate: 50, planned: 100, until: Samples.time + 40),
        RateHold(workload: "b", rate: 95, planned: 100, until: nil),
      ])
    #expect(Self.rates(steady.observe(Self.demand(["a": 60, "b": 120]), at: 40)) == ["a": 100, "b": 120])
    #expect(Self.rates(steady.observe(Self.demand(["a": 50, "b": 120]), at: 70)) == ["a": 60, "b": 120])
  }

  @Test("a workload that is gone, or is another, holds nothing")
  func whatIsGoneHoldsNothing() {
    var steady = SteadyDemand(Self.calm)
    _ = steady.observe(Self.demand(["a": 100, "b": 100]), at: 0)
    #expect(Self.rates(steady.observe(Self.demand(["b": 100]), at: 1)) == ["b": 100])
    #expect(Self.rates(steady.observe(Self.demand(["a": 10, "b": 100]), at: 2)) == ["a": 10, "b": 100])
    #expect(Self.rates(steady.observe(Self.demand(["a": 5, "b": 5], model: "vgg19"), at: 3)) == ["a": 5, "b": 5])
  }

  @Test("what is let go is planned for as it is, and held again from there")
  func lettingGo() {
    var steady = SteadyDemand(Self.calm)
    _ = steady.observe(Self.demand(["a": 100]), at: 0)
    _ = steady.observe(Self.demand(["a": 50]), at: 1)
    steady.letGo(at: 1)
    #expect(Self.rates(steady.observe(Self.demand(["a": 50]), at: 2)) == ["a": 50])
    #expect(Self.rates(steady.observe(Self.demand(["a": 20]), at: 3)) == ["a": 50])
  }

  @Test("after a restart the rates of the plan are held on")
  func restart() throws {
    let product = try Samples.product("A100-80GB")
    let segment = Segment(
      workload: "a", ordinal: 0, model: "resnet50", profile: 0, start: 0, batch: 1, processes: 1, capacity: 90,
      load: 80, latencyMs: 1)
    var other = segment
    (other.ordinal, other.start) = (1, 1)
    let plan = Plan(
      planner: "", admission: "", status: .feasible,
      gpus: [PlannedGPU(pool: "p", product: product, segments: [segment, other])], unplaced: [],
      summary: PlanSummary(
        gpuCount: 1, allocatedSlices: 2, externalFragmentation: 0, internalSlack: 0, profileSource: .modelled))
    var steady = SteadyDemand(Self.calm, after: plan)
    #expect(Self.rates(steady.observe(Self.demand(["a": 100]), at: 5)) == ["a": 160])
    #expect(steady.next == 65)
    var none = SteadyDemand(.none, after: plan)
    #expect(Self.rates(none.observe(Self.demand(["a": 100]), at: 5)) == ["a": 100])
  }

  @Test(
    "random rates: never below what is asked, and lower only after a hold in which all were lower", arguments: 0..<20)
  func laws(_ offset: UInt64) {
    let seed = TestSeed.of(offset: offset)
    var random = SeededGenerator(seed: seed)
    var steady = SteadyDemand(Self.calm)
    let ids = (0..<6).map { "w\($0)" }
    var now = Dictionary(uniqueKeysWithValues: ids.map { ($0, 100.0) })
    var planned: [String: Double] = [:]
    /// Of each workload, when its rate was last within the dead band or above.
    var calmAt: [String: Double] = [:]
    var time = 0.0
    for _ in 0..<300 {
      time += Double.random(in: 0...20, using: &random)
      for id in ids { now[id, default: 100] *= Double.random(in: 0.85...1.17, using: &random) }
      let held = Self.rates(steady.observe(Self.demand(now), at: time))
      for id in ids {
        guard let rate = now[id], let plan = held[id] else { continue }
        #expect(plan >= rate, "seed \(seed)")
        if let before = planned[id] {
          if rate >= before * 0.9 { calmAt[id] = time }
          if plan < before { #expect(time - (calmAt[id] ?? 0) >= 60, "seed \(seed)") }
          if plan != before { calmAt[id] = time }
        }
        planned[id] = plan
      }
      if let next = steady.next { #expect(next > time, "seed \(seed)") }
    }
  }
}
