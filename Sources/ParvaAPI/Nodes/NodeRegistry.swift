package import Foundation
package import ParvaEngine
package import ParvaWire
import Synchronization

/// The nodes in memory, and the one way to change them. What is declared of a node is on disk when a change returns;
/// what nodes say of themselves is stored when it matters, and else once a minute.
package actor NodeRegistry {
  package struct Settings: Sendable {
    /// What nodes are asked to keep between two heartbeats.
    package var heartbeat = Duration.seconds(10)
    /// Most nodes at a time.
    package var limit = 10_000
    package var clock: @Sendable () -> ContinuousClock.Instant = { .now }

    package init() {}
  }

  package enum Removal: Hashable, Sendable {
    case removed
    /// Plans leave it out; it goes when its last instances are gone.
    case draining
  }

  private let store: any Store
  package nonisolated let settings: Settings
  private let priced: [Pool]
  private let now: @Sendable () -> Date
  private let onChange: @Sendable () -> Void
  private nonisolated let fleet: Mutex<Fleet>
  private var heartbeats: [String: Heartbeats]
  /// When the status of a node was last stored.
  private var storedAt: [String: ContinuousClock.Instant] = [:]
  private let gate = SerialGate()

  /// - Parameters:
  ///   - priced: configured pools, for cost and watts of products.
  ///   - onChange: called whenever plans have to be made anew.
  package init(
    nodes: [NodeRecord], removed: Set<String>, store: any Store, settings: Settings, priced: [Pool],
    now: @escaping @Sendable () -> Date, onChange: @escaping @Sendable () -> Void
  ) {
    self.store = store
    self.settings = settings
    self.priced = priced
    self.now = now
    self.onChange = onChange
    var fleet = Fleet(removed: removed, inventory: FleetInventory(nodes, priced: priced))
    for node in nodes {
      fleet.nodes[node.name] = node
      fleet.holders.change(node.name, from: nil, to: node.applied)
    }
    self.fleet = Mutex(fleet)
    let start = settings.clock()
    heartbeats = fleet.nodes.mapValues { Heartbeats(isUnreachable: $0.isUnreachable, now: start) }
  }

  package nonisolated var snapshot: Fleet { fleet.withLock { $0 } }

  package nonisolated var generation: Int { fleet.withLock(\.generation) }

  package nonisolated func node(_ name: String) -> NodeRecord? { fleet.withLock { $0.nodes[name] } }

  package nonisolated func wasRemoved(_ name: String) -> Bool { fleet.withLock { $0.removed.contains(name) } }

  // MARK: - Declarations

  /// Registers a node or changes what is declared of it. A declaration without a secret keeps the one that is there.
  package func put(
    _ spec: NodeSpec, named name: String, if precondition: Precondition
  ) async throws(ChangeRefusal) -> ChangeReceipt.Effect {
    await gate.enter()
    defer { gate.leave() }
    let current = node(name)
    guard precondition.holds(at: current?.revision) else { throw .preconditionFailed(current: current?.revision) }
    guard current != nil || snapshot.nodes.count < settings.limit else { throw .tooMany(limit: settings.limit) }
    var record = NodeRecord(spec, named: name, revision: (current?.revision ?? 0) + 1, at: wholeNow)
    if let current {
      if spec.webhookSecret == nil && spec.webhookSecretRef == nil {
        record.secret = current.secret
        record.secretReference = current.secretReference
      }
      if record.declaresSame(as: current) && !current.isDraining { return .unchanged }
      record.createdAt = current.createdAt
      record.isUnreachable = current.isUnreachable
      record.state = current.state
      record.settled = current.settled
      record.heardAt = current.heardAt
    }
    var batch = StoreBatch()
    batch.nodes[name] = record
    batch.removedNodes[name] = false
    try await commit(batch)
    if heartbeats[name] == nil { heartbeats[name] = Heartbeats(isUnreachable: false, now: settings.clock()) }
    update { fleet in
      fleet.set(record)
      fleet.removed.remove(name)
    }
    return current == nil ? .created : .replaced
  }

  /// Takes a node out: at once where Parva has nothing on it or `force` is set, else after a drain.
  package func delete(
    _ name: String, if precondition: Precondition, force: Bool
  ) async throws(ChangeRefusal) -> Removal {
    await gate.enter()
    defer { gate.leave() }
    let current = node(name)
    guard precondition.holds(at: current?.revision) else { throw .preconditionFailed(current: current?.revision) }
    guard var record = current else { throw .notFound }
    if force || record.settled?.owned.isEmpty ?? true {
      try await remove(name)
      return .removed
    }
    guard !record.isDraining else { return .draining }
    record.isDraining = true
    record.revision += 1
    record.updatedAt = wholeNow
    var batch = StoreBatch()
    batch.nodes[name] = record
    try await commit(batch)
    update { $0.set(record) }
    return .draining
  }

  /// Ends the drain of a node whose last instances are gone.
  func finishDrain(of name: String) async throws(ChangeRefusal) {
    await gate.enter()
    defer { gate.leave() }
    guard node(name)?.isDraining == true else { return }
    try await remove(name)
  }

  private func remove(_ name: String) async throws(ChangeRefusal) {
    var batch = StoreBatch()
    batch.nodes[name] = .some(nil)
    batch.removedNodes[name] = true
    try await commit(batch)
    heartbeats[name] = nil
    storedAt[name] = nil
    update { fleet in
      fleet.holders.change(name, from: fleet.nodes[name]?.applied, to: nil)
      fleet.nodes[name] = nil
      fleet.removed.insert(name)
    }
  }

  // MARK: - What runs

  /// Takes note of what a node has verified of a push.
  nonisolated func pushed(_ verified: WantedNode, to name: String) {
    fleet.withLock { fleet in
      guard fleet.nodes[name] != nil else { return }
      fleet.holders.change(name, from: fleet.nodes[name]?.applied, to: verified)
      fleet.nodes[name]?.applied = verified
    }
  }

  /// What is known to run of a workload; nil while no node is registered. O(instances of the nodes that hold it).
  package nonisolated func running(_ workload: String) -> RunningCapacity? {
    fleet.withLock { fleet in
      guard !fleet.nodes.isEmpty else { return nil }
      var running = RunningCapacity()
      for name in fleet.holders[workload] { fleet.nodes[name]?.addRunning(workload, to: &running) }
      return running
    }
  }

  // MARK: - Heartbeats

  /// Takes what a node says of itself; nil where no such node is registered.
  package func heard(_ state: NodeStateDocument, from name: String) async throws(ChangeRefusal) -> NodeCondition? {
    await gate.enter()
    defer { gate.leave() }
    guard var record = node(name) else { return nil }
    let clock = settings.clock()
    var beats = heartbeats[name] ?? Heartbeats(isUnreachable: record.isUnreachable, now: clock)
    beats.heard(at: clock, interval: settings.heartbeat)
    heartbeats[name] = beats
    let before = record
    record.state = state
    if state.operation == nil || record.settled == nil { record.settled = state }
    record.heardAt = wholeNow
    record.isUnreachable = beats.isUnreachable
    let isStale = storedAt[name].map { clock - $0 > .seconds(60) } ?? true
    // What is read back after a restart is what plans go by.
    if record.settled == state, isStale || !Self.isAlike(before, record) {
      var batch = StoreBatch()
      batch.nodes[name] = record
      try await commit(batch)
      storedAt[name] = clock
    }
    update { $0.set(record) }
    return NodeCondition(of: record)
  }

  /// Looks for nodes whose heartbeats have stopped; called about once a second.
  package func check() async throws(ChangeRefusal) {
    await gate.enter()
    defer { gate.leave() }
    let clock = settings.clock()
    var batch = StoreBatch()
    for name in heartbeats.keys {
      heartbeats[name]?.check(at: clock, interval: settings.heartbeat)
      guard let beats = heartbeats[name], var record = node(name), record.isUnreachable != beats.isUnreachable else {
        continue
      }
      record.isUnreachable = beats.isUnreachable
      batch.nodes[name] = record
    }
    guard !batch.nodes.isEmpty else { return }
    try await commit(batch)
    update { fleet in
      for case let record? in batch.nodes.values { fleet.set(record) }
    }
  }

  /// Whether only what changes all the time differs: processes, services, the running operation.
  private static func isAlike(_ a: NodeRecord, _ b: NodeRecord) -> Bool {
    guard a.isUnreachable == b.isUnreachable, let x = a.settled, let y = b.settled, x.verified == y.verified,
      x.owned == y.owned, x.observed.gpus.count == y.observed.gpus.count
    else { return false }
    return zip(x.observed.gpus, y.observed.gpus).allSatisfy { p, q in
      (p.uuid, p.mig, p.fault, p.profiles) == (q.uuid, q.mig, q.fault, q.profiles)
        && p.instances.map(\.id) == q.instances.map(\.id)
    }
  }

  // MARK: - Parts

  private func update(_ body: (inout Fleet) -> Void) {
    let changed = fleet.withLock { fleet in
      body(&fleet)
      let inventory = FleetInventory(Array(fleet.nodes.values), priced: priced)
      let changed = !inventory.offersSame(as: fleet.inventory)
      fleet.inventory = inventory
      if changed { fleet.generation += 1 }
      return changed
    }
    if changed { onChange() }
  }

  private func commit(_ batch: StoreBatch) async throws(ChangeRefusal) {
    do {
      try await store.commit(batch)
    } catch {
      throw .storeFailed(error)
    }
  }

  /// The store keeps milliseconds, so that what is in memory is what a restart reads back.
  private var wholeNow: Date { Date(timeIntervalSince1970: (now().timeIntervalSince1970 * 1000).rounded() / 1000) }
}
