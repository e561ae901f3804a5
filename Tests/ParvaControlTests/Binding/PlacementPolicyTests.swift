import ParvaControlTestSupport
import ParvaEngine
import ParvaTestSupport
import ParvaWire
import Testing

@testable import ParvaControl

@Suite struct PlacementPolicyTests {
  /// Zones of nodes that the segments of each workload are in.
  private static func zones(_ plan: Plan, _ fleet: FleetInventory) -> [String: Set<String>] {
    var zones: [String: Set<String>] = [:]
    for gpu in plan.gpus {
      for segment in gpu.segments {
        zones[segment.workload, default: []].insert(PlacementPolicy.zone(of: gpu.pool, gpu.product) ?? "")
      }
    }
    return zones
  }

  @Test("a workload on two GPUs stands in two zones by default, and packed in one")
  func twoZones() throws {
    for policy in PlacementPolicy.allCases {
      var world = try FleetWorld(
        nodes: 6, gpus: 2, workloads: [Samples.workload("w", rate: 9000)], grace: .seconds(60), placement: policy)
      try world.plan()
      let plan = try #require(world.published)
      try #require(plan.gpus.count > 1 && plan.gpus.count <= 4)
      let zones = Self.zones(plan, world.fleet.snapshot().inventory)["w"]
      #expect(zones?.count == (policy == .spread ? min(3, plan.gpus.count) : 1), "\(policy)")
      let nodes = Set(plan.gpus.compactMap(\.node))
      if policy == .pack { #expect(nodes.count == (plan.gpus.count + 1) / 2) }
    }
  }

  @Test(
    "spread costs no GPU, is legal, leaves nobody in one zone alone who could trade, and stands still",
    arguments: 0..<12)
  func spreads(_ offset: UInt64) throws {
    let seed = TestSeed.of(offset: offset)
    var random = SeededGenerator(seed: seed)
    func workloads() -> [Workload] {
      (0..<Int.random(in: 1...14, using: &random)).map { number in
        Samples.workload(
          "w\(number)", model: ["resnet50", "bert", "densenet121", "vgg19"][number % 4],
          rate: Double(Int.random(in: 20...2500, using: &random)))
      }
    }
    var world = try FleetWorld(
      nodes: Int.random(in: 2...9, using: &random), gpus: 3, workloads: workloads(), grace: .seconds(60))
    for round in 0..<3 {
      let comment = Comment(rawValue: "seed \(seed), round \(round)")
      let snapshot = world.fleet.snapshot()
      let inForce = PlanInForce.plan(
        standing: snapshot.standing, on: snapshot.inventory, published: world.published)
      let job = world.setup.job(for: world.demand, on: snapshot.inventory, replacing: inForce)
      let raw = try PlanningDuty.perform(job)
      try world.plan()
      let plan = try #require(world.published)
      #expect(plan.gpus.count == raw.gpus.count, comment)
      var judged = job.input
      judged.current = nil
      // Without nodes, which a judge would want to be those that it was given.
      var bare = plan
      for index in bare.gpus.indices { bare.gpus[index].node = nil }
      #expect(PlanChecker.violations(of: bare, against: judged) == [], comment)
      Self.expectNoTrade(plan, inForce, comment)
      try world.plan()
      // While nothing stands, the plan before is what is kept.
      if round == 0 { #expect(Self.places(world.published) == Self.places(plan), comment) }
      _ = try world.apply()
      world.tick()
      try world.plan()
      #expect(try world.apply() == [], comment)
      world.demand.revision += 1
      world.demand.registrations = RegistrationTable(workloads().map { Samples.registration($0) })
    }
  }

  private static func places(_ plan: Plan?) -> Set<String> {
    Set(
      (plan?.gpus ?? []).flatMap { gpu in
        gpu.segments.map { "\(gpu.uuid ?? "-") \($0.placement) \($0.workload) \($0.batch) \($0.processes)" }
      })
  }

  /// Every trade of two new equal instances is tried: none takes a workload out of the one zone that it is in, unless it puts
  /// another into one.
  private static func expectNoTrade(_ plan: Plan, _ inForce: Plan?, _ comment: Comment) {
    struct Spot {
      var zone: String
      var segment: Segment
      var product: String
      var isNew: Bool
    }
    var spots: [Spot] = []
    for gpu in plan.gpus {
      let before = inForce?.gpus.first { $0.uuid == gpu.uuid }?.segments ?? []
      for segment in gpu.segments {
        let isNew = !before.contains {
          ($0.workload, $0.placement, $0.batch, $0.processes)
            == (segment.workload, segment.placement, segment.batch, segment.processes)
        }
        spots.append(
          Spot(
            zone: PlacementPolicy.zone(of: gpu.pool, gpu.product) ?? "", segment: segment, product: gpu.product.name,
            isNew: isNew))
      }
    }
    guard Set(spots.map(\.zone)).count > 1 else { return }
    func isNarrow(_ workload: String, _ spots: [Spot]) -> Bool {
      let zones = spots.filter { $0.segment.workload == workload }.map(\.zone)
      return zones.count > 1 && Set(zones).count == 1
    }
    for a in spots.indices where spots[a].isNew && isNarrow(spots[a].segment.workload, spots) {
      for b in spots.indices
      where spots[b].isNew && spots[b].zone != spots[a].zone && spots[b].product == spots[a].product
        && spots[b].segment.profile == spots[a].segment.profile
      {
        var traded = spots
        (traded[a].zone, traded[b].zone) = (spots[b].zone, spots[a].zone)
        #expect(
          isNarrow(spots[b].segment.workload, traded),
          "\(comment): \(spots[a].segment.id) could trade with \(spots[b].segment.id)")
      }
    }
  }
}
