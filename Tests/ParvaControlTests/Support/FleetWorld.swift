import Foundation
import ParvaControlTestSupport
import ParvaEngine
import ParvaTestSupport
import ParvaWire
import Testing

@testable import ParvaControl

/// A fleet under faults, in time that a test makes pass: nodes fall silent and come back while plans are made and applied.
/// No GPU and no wire is behind it; what the controller knows and decides is the real thing.
struct FleetWorld {
  static let zones = 3

  let setup: PlanningSetup
  var fleet: FleetState
  private(set) var now = ContinuousClock.now
  private(set) var date = Samples.time
  /// Nodes whose heartbeats do not come through.
  var silent: Set<String> = []
  /// What runs on each node, whatever the controller knows of it.
  private(set) var states: [String: NodeStateDocument] = [:]
  var running: [String: [WantedGPU]] = [:]
  private(set) var published: Plan?
  private(set) var assignments = NodeAssignments(gpus: [:])
  private(set) var revision = 0
  private var planned = -1
  var demand: Demand

  var names: [String] { states.keys.sorted() }

  init(
    nodes count: Int, gpus: Int, workloads: [Workload], grace: Duration, placement: PlacementPolicy = .spread
  ) throws {
    var setup = try Harness.builtIn
    setup.placement = placement
    self.setup = setup
    var settings = FleetState.Settings()
    settings.heartbeat = .seconds(1)
    settings.grace = grace
    fleet = FleetState(nodes: [], settings: settings, at: now)
    demand = Demand(revision: 1, registrations: RegistrationTable(workloads.map { Samples.registration($0) }))
    for number in 0..<count {
      let name = "n\(number)"
      fleet.declare(FleetSamples.record(name, nil, zone: "zone-\(number % Self.zones)"), at: now)
      states[name] = try FleetSamples.state(name, gpus: gpus)
      running[name] = []
    }
    tick()
  }

  /// One second with the heartbeats of those that are not silent.
  mutating func tick() {
    now += .seconds(1)
    date += 1
    for (name, state) in states where !silent.contains(name) {
      _ = fleet.heard(state, from: name, at: now, date: date)
    }
    _ = fleet.check(at: now)
    _ = fleet.settleConditions(at: date)
  }

  /// Something becomes of a node without anybody's doing; it says so with its next heartbeat.
  mutating func befall(_ name: String, _ change: (inout NodeStateDocument) throws -> Void) rethrows {
    guard var state = states[name] else { return }
    try change(&state)
    states[name] = state
  }

  /// Whether the fleet offers something else than at the last planning.
  var isPlanningDue: Bool { fleet.generation != planned }

  /// Whether the newest plan was made in this second.
  var isFresh: Bool { plannedAt == now }
  private var plannedAt: ContinuousClock.Instant?

  mutating func plan() throws {
    plannedAt = now
    let snapshot = fleet.snapshot()
    let inForce = PlanInForce.plan(standing: snapshot.standing, on: snapshot.inventory, published: published)
    func made(on inventory: FleetInventory, replacing inForce: Plan?) throws -> Plan {
      let job = setup.job(for: demand, on: inventory, replacing: inForce)
      return setup.bound(
        try PlanningDuty.perform(job), of: demand, to: inventory, replacing: inForce, published: published)
    }
    var plan = try made(on: snapshot.inventory, replacing: inForce)
    let silent = SilentGPUs(on: snapshot, inForce: inForce)
    let takesNew = silent.takeNew(in: plan)
    if takesNew {
      let standing = silent.rest(of: inForce)
      plan = try made(on: silent.rest(of: snapshot.inventory, holding: standing), replacing: standing)
    }
    fleet.avoid(takesNew ? silent.nodes : [])
    assignments = NodeAssignments(plan, nodes: snapshot.nodes.values, workloads: demand.registrations)
    if plan != published { revision += 1 }
    published = plan
    planned = snapshot.generation
    fleet.take(assignments.planned(revision: revision))
  }

  /// Brings the plan to every node that is reached and does not have it. Answers what was destroyed for it.
  mutating func apply() throws -> [String] {
    var destroyed: [String] = []
    for name in assignments.nodes where !silent.contains(name) {
      guard let record = fleet[name], [.ready, .cordoned, .maintenance].contains(NodeCondition(of: record)) else {
        continue
      }
      let wanted = assignments.wanted(name, revision: revision)
      guard !record.hasVerified(wanted.gpus) else { continue }
      let kept = Set(wanted.gpus.flatMap(Self.instances))
      destroyed += (running[name] ?? []).flatMap(Self.instances).filter { !kept.contains($0) }.map { "\(name): \($0)" }
      fleet.expect(wanted, on: name)
      try verify(wanted, on: name)
    }
    return destroyed
  }

  /// A node has what it was told to have, and says so with its next heartbeat.
  mutating func verify(_ wanted: NodeAssignment, on name: String) throws {
    running[name] = wanted.gpus
    let gpus = try (states[name]?.observed.gpus ?? []).map { gpu in
      try FleetSamples.gpu(
        name, gpu.index,
        instances: (wanted.gpus.first { $0.uuid == gpu.uuid }?.instances ?? []).map { ($0.profileID, $0.start) })
    }
    var state = FleetSamples.state(name, gpus)
    state.verified = VerifiedDocument(wanted.version)
    states[name] = state
    fleet.verified(wanted, on: name)
  }

  /// An instance, as far as whoever uses it would notice.
  private static func instances(_ gpu: WantedGPU) -> [String] {
    gpu.instances.map { "\(gpu.uuid) \($0.place) for \($0.workload ?? "-")" }
  }
}
