import ParvaTestSupport
import Testing

@testable import ParvaEngine

@Suite("Differences between plans")
struct PlanDiffTests {
  static let product = ProductCatalogue.all.first { $0.name == "A100-80GB" } ?? ProductCatalogue.all[0]

  static func segment(
    _ workload: String, _ ordinal: Int = 0, _ profile: String = "2g.20gb", at start: Int = 0, batch: Int = 8,
    load: Double = 10
  ) -> Segment {
    Segment(
      workload: workload, ordinal: ordinal, model: "m", profile: product.profileIndex(named: profile) ?? 0,
      start: start, batch: batch, processes: 1, capacity: 20, load: load, latencyMs: 5)
  }

  static func plan(_ gpus: [[Segment]], uuids: [String?] = [], unplaced: [String] = []) -> Plan {
    Plan(
      planner: "p", admission: "half-slo", status: .feasible,
      gpus: gpus.enumerated().map { index, segments in
        PlannedGPU(
          pool: "default", product: product, uuid: index < uuids.count ? uuids[index] : nil, segments: segments)
      },
      unplaced: unplaced.map { Unserved(workload: $0, code: .noStock, message: "none left") },
      summary: PlanSummary(
        gpuCount: gpus.count, allocatedSlices: 0, externalFragmentation: 0, internalSlack: 0,
        profileSource: .measured))
  }

  @Test func aPlanDoesNotDifferFromItself() {
    let plan = Self.plan([[Self.segment("a"), Self.segment("a", 1, at: 2)], [Self.segment("b")]])
    let diff = PlanDiff(from: plan, to: plan)
    #expect(diff.isEmpty)
    #expect(diff.kept == 3)
    #expect((diff.instancesCreated, diff.instancesDestroyed, diff.instancesKept) == (0, 0, 3))
  }

  @Test("GPUs that are as they were are stepped over with the same result", arguments: 0..<12)
  func steppingOverChangesNothing(_ seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var input = RandomDemand.input(seed: seed, products: [Self.product], models: 5, workloads: 40)
    let old = OptimalPlanner().plan(input)
    for _ in 0..<Int.random(in: 0...6, using: &random) {
      let index = Int.random(in: 0..<input.workloads.count, using: &random)
      input.workloads[index].rate *= Double.random(in: 0.5...2, using: &random)
    }
    if Bool.random(using: &random) { input.workloads.removeLast() }
    input.current = Bool.random(using: &random) ? old : nil
    var new = OptimalPlanner().plan(input)
    for index in new.gpus.indices where Int.random(in: 0..<4, using: &random) == 0 {
      new.gpus[index].uuid = "GPU-\(index)"
    }
    if Bool.random(using: &random) { new.gpus.swapAt(0, new.gpus.count - 1) }
    #expect(PlanDiff(from: old, to: new) == PlanDiff(from: old, to: new, stepsOverSame: false))
    #expect(PlanDiff(from: new, to: old) == PlanDiff(from: new, to: old, stepsOverSame: false))
  }

  @Test func numberingGPUsAnotherWayIsNoDifference() {
    let (a, b) = ([Self.segment("a")], [Self.segment("b"), Self.segment("c", at: 2)])
    #expect(PlanDiff(from: Self.plan([a, b]), to: Self.plan([b, a])).isEmpty)
  }

  @Test func gpusThatAreBoundAreKnownByTheirUUID() {
    let (a, b) = ([Self.segment("a")], [Self.segment("b")])
    let diff = PlanDiff(from: Self.plan([a, b], uuids: ["x", "y"]), to: Self.plan([b, a], uuids: ["x", "y"]))
    #expect(diff.changes.count == 2)
    #expect(diff.changes.allSatisfy { if case .moved = $0 { true } else { false } })
    #expect(diff.instancesKept == 2)
  }

  @Test func aMoveToAnotherNodeIsADifference() {
    var (old, new) = (Self.plan([[Self.segment("a")]]), Self.plan([[Self.segment("a")]]))
    old.gpus[0].node = "x1"
    #expect(PlanDiff(from: old, to: new).isEmpty)
    new.gpus[0].node = "x2"
    let diff = PlanDiff(from: old, to: new)
    #expect(diff.changes.count == 1)
    #expect((diff.instancesCreated, diff.instancesDestroyed) == (1, 1))
  }

  @Test func eachKindOfChangeIsTold() {
    let old = Self.plan([
      [Self.segment("gone"), Self.segment("moved", at: 2)],
      [Self.segment("loaded"), Self.segment("stays", at: 2), Self.segment("tuned", at: 4)],
    ])
    let new = Self.plan([
      [Self.segment("moved", at: 0), Self.segment("new", at: 4)],
      [Self.segment("loaded", load: 12), Self.segment("stays", at: 2), Self.segment("tuned", at: 4, batch: 16)],
    ])
    let diff = PlanDiff(from: old, to: new)
    let kinds = diff.changes.map { change in
      switch change {
      case .added(let place): "added \(place.segment.workload)"
      case .removed(let place): "removed \(place.segment.workload)"
      case .moved(_, let to): "moved \(to.segment.workload)"
      case .retuned(_, let to): "retuned \(to.segment.workload)"
      case .reloaded(_, let to): "reloaded \(to.segment.workload)"
      }
    }
    #expect(kinds == ["removed gone", "reloaded loaded", "moved moved", "added new", "retuned tuned"])
    #expect(diff.kept == 1)
    // The place at 0 of GPU 0 stays an instance of the same profile, whoever works in it.
    #expect((diff.instancesCreated, diff.instancesDestroyed, diff.instancesKept) == (1, 1, 4))
  }

  @Test func workloadsThatLoseOrGainServiceAreTold() {
    let diff = PlanDiff(from: Self.plan([], unplaced: ["a", "b"]), to: Self.plan([], unplaced: ["b", "c"]))
    #expect(diff.newlyUnserved.map(\.workload) == ["c"])
    #expect(diff.noLongerUnserved.map(\.workload) == ["a"])
    #expect(!diff.isEmpty)
  }

  @Test(arguments: 1...200 as ClosedRange<UInt64>) func countsAddUpOnRandomPlans(seed: UInt64) {
    var state = seed
    func random(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    func plan() -> Plan {
      var ordinals: [String: Int] = [:]
      return Self.plan(
        (0..<random(6)).map { _ in
          [0, 2, 4].prefix(random(4)).map { start in
            let name = ["a", "b", "c"][random(3)]
            defer { ordinals[name, default: 0] += 1 }
            return Self.segment(name, ordinals[name, default: 0], at: start, batch: [8, 16][random(2)])
          }
        })
    }
    let (old, new) = (plan(), plan())
    let diff = PlanDiff(from: old, to: new)
    let (before, after) = (old.gpus.reduce(0) { $0 + $1.segments.count }, new.gpus.reduce(0) { $0 + $1.segments.count })
    var (added, removed, both) = (0, 0, diff.kept)
    for change in diff.changes {
      switch change {
      case .added: added += 1
      case .removed: removed += 1
      default: both += 1
      }
    }
    #expect(both + removed == before && both + added == after, "seed \(seed)")
    #expect(diff.instancesKept + diff.instancesDestroyed == before, "seed \(seed)")
    #expect(diff.instancesKept + diff.instancesCreated == after, "seed \(seed)")
    #expect(PlanDiff(from: old, to: old).isEmpty, "seed \(seed)")
  }
}
