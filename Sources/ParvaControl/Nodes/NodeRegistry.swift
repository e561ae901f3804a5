package import Foundation
package import ParvaEngine
package import ParvaWire
import Synchronization

/// The nodes in memory, and the one way to change them. What is declared of a node is on disk when a change returns;
/// what nodes say of themselves is stored with the next look at the clock where it matters, and else once a minute.
///
/// Everything is under one lock that is never held across a wait; the store is written by one run at a time.
package final class NodeRegistry: Sendable {
  package struct Settings: Sendable {
    package var fleet = FleetState.Settings()
    /// What nodes are asked to keep between two heartbeats.
    package var heartbeat: Duration {
      get { fleet.heartbeat }
      set { fleet.heartbeat = newValue }
    }
    /// Most nodes at a time.
    package var limit = 10_000
    /// Whether others read in the store how the nodes' servers are, so that it is stored whenever it changes.
    package var sharesServices = false
    package var clock: @Sendable () -> ContinuousClock.Instant = { .now }

    package init() {}
  }

  private struct Pending: Sendable {
    let change: NodeChange
    /// The request on whose behalf it is done, for the audit.
    let draft: AuditDraft?
    let done: CheckedContinuation<Result<NodeChange.Effect, ChangeRefusal>, Never>
  }

  private struct State {
    var fleet: FleetState
    var waiting: [Pending] = []
    /// When each node's row was last stored.
    var storedAt: [String: ContinuousClock.Instant] = [:]
    var unstored = Unstored()
    /// At generations of the fleet.
    var authors = ChangeAuthors()
  }

  /// Nodes of which something is not in the store yet.
  private struct Unstored: Sendable {
    var rows: Set<String> = []
    var states: Set<String> = []
    var assignments: Set<String> = []
    /// Requests that have accepted silence.
    var silence: [AuditDraft] = []
  }

  private let store: any Store
  package let settings: Settings
  private let now: @Sendable () -> Date
  private let onChange: @Sendable () -> Void
  private let events: EventLog
  private let onTraffic: @Sendable () -> Void
  private let state: Mutex<State>
  private let saving = SharedRun<StoreError>()

  /// - Parameters:
  ///   - priced: configured pools, for cost and watts of products.
  ///   - onChange: called whenever plans have to be made anew.
  ///   - onTraffic: called whenever endpoints may have changed.
  package init(
    nodes: [NodeRecord], removed: Set<String>, store: any Store, settings: Settings, priced: [Pool],
    now: @escaping @Sendable () -> Date, events: EventLog = EventLog(), onChange: @escaping @Sendable () -> Void,
    onTraffic: @escaping @Sendable () -> Void = {}
  ) {
    self.store = store
    self.events = events
    self.settings = settings
    self.now = now
    self.onChange = onChange
    self.onTraffic = onTraffic
    let start = settings.clock()
    // What the store has of a node is old.
    var nodes = nodes
    for index in nodes.indices where nodes[index].state != nil { nodes[index].isWordDue = true }
    var fleet = FleetState(nodes: nodes, removed: removed, settings: settings.fleet, priced: priced, at: start)
    // What is so at the start is no news.
    _ = fleet.settleConditions(at: now())
    state = Mutex(State(fleet: fleet, storedAt: Dictionary(uniqueKeysWithValues: nodes.map { ($0.name, start) })))
  }

  // MARK: - Looking

  /// All nodes at this moment. O(nodes).
  package var snapshot: Fleet { state.withLock { $0.fleet.snapshot() } }

  /// The same, with who has changed what the nodes offer after a generation.
  func snapshot(authorsSince generation: Int) -> (fleet: Fleet, authors: Set<PlanCause.Author>) {
    state.withLock { ($0.fleet.snapshot(), $0.authors.since(generation)) }
  }

  var count: Int { state.withLock(\.fleet.count) }

  package var generation: Int { state.withLock(\.fleet.generation) }

  /// Grows with every change that the nodes' endpoints may follow from.
  package var edition: Int { state.withLock(\.fleet.edition) }

  /// What endpoints follow from. O(nodes).
  package var trafficState: (records: [NodeRecord], isCutOff: Bool, hasHeardAll: Bool, edition: Int) {
    state.withLock { state in
      let fleet = state.fleet
      return (Array(fleet.records), fleet.takesItselfForCutOff, fleet.hasHeardAll, fleet.edition)
    }
  }

  /// What the nodes offer to plans, with what stands there. O(GPUs) after a change of it.
  package var inventory: FleetInventory { state.withLock { $0.fleet.inventoryNow() } }

  package var counted: FleetCount { state.withLock(\.fleet.counted) }

  /// All nodes as they are stored, in order of name, where another controller pushes to them. O(n log n).
  var stored: [NodeRecord] {
    state.withLock { $0.fleet.records.map(\.stored) }.sorted { $0.name < $1.name }
  }

  package func node(_ name: String) -> NodeRecord? { state.withLock { $0.fleet[name] } }

  /// One node with its GPUs as plans may use them, and its conditions. O(its GPUs).
  package func offers(
    of name: String
  ) -> (record: NodeRecord, gpus: [FleetGPU], conditions: [ConditionDocument])? {
    state.withLock { $0.fleet.node(name) }
  }

  /// The conditions of some nodes, by name.
  package func conditions(of names: [String]) -> [String: [ConditionDocument]] {
    state.withLock { state in
      Dictionary(names.map { ($0, state.fleet.conditions(of: $0)) }, uniquingKeysWith: { first, _ in first })
    }
  }

  /// Workloads of which something may have changed since the last call.
  func takeTouchedWorkloads() -> Set<String> { state.withLock { $0.fleet.takeTouchedWorkloads() } }

  /// The newest plan puts nothing new on these silent nodes although it would have.
  func avoid(_ names: Set<String>) { changing { $0.fleet.avoid(names) } }

  /// Takes what a new plan wants of the nodes.
  func take(_ plan: PlannedNodes?) { changing { $0.fleet.take(plan) } }

  package func wasRemoved(_ name: String) -> Bool { state.withLock { $0.fleet.removed.contains(name) } }

  // MARK: - Declarations

  /// Registers a node or changes what is declared of it. A declaration without a secret keeps the one that is there; a node
  /// that is drained comes back, unless `keepsDrain` is set.
  package func put(
    _ spec: NodeSpec, named name: String, if precondition: Precondition, keepsDrain: Bool = false
  ) async throws(ChangeRefusal) -> ChangeReceipt.Effect {
    switch try await change(
      NodeChange(name: name, operation: .put(spec, keepsDrain: keepsDrain), precondition: precondition))
    {
    case .created: .created
    case .unchanged: .unchanged
    case .replaced, .removed, .draining: .replaced
    }
  }

  /// Takes a node out. Answers whether it is gone; else it is drained, and goes once its last instances are gone.
  package func delete(_ name: String, if precondition: Precondition, force: Bool) async throws(ChangeRefusal) -> Bool {
    try await change(NodeChange(name: name, operation: .delete(force: force), precondition: precondition)) == .removed
  }

  /// Sets what an operator wants of a node. On disk when it returns.
  package func set(
    _ duty: NodeDuty, of name: String, if precondition: Precondition
  ) async throws(ChangeRefusal) {
    _ = try await change(NodeChange(name: name, operation: .duty(duty), precondition: precondition))
  }

  /// Ends the drain of a node whose last instances are gone.
  func finishDrain(of name: String) async throws(ChangeRefusal) {
    _ = try await change(NodeChange(name: name, operation: .endDrain))
  }

  private func change(_ change: NodeChange) async throws(ChangeRefusal) -> NodeChange.Effect {
    let draft = AuditDraft.open
    if let draft, draft.isDryRun { return try tried(change, draft) }
    let result = await withCheckedContinuation { done in
      state.withLock { $0.waiting.append(Pending(change: change, draft: draft, done: done)) }
      saving.request { await self.save() }
    }
    return try result.get()
  }

  /// A dry run, on the nodes as they are.
  private func tried(_ change: NodeChange, _ draft: AuditDraft) throws(ChangeRefusal) -> NodeChange.Effect {
    let fleet = state.withLock(\.fleet)
    var transaction = NodeTransaction(count: fleet.count, limit: settings.limit, now: wholeNow) { fleet[$0] }
    let effect = try transaction.perform(change, for: draft)
    guard !transaction.audit.isEmpty else { return effect }
    var batch = StoreBatch()
    (batch.nodes, batch.audit) = (transaction.nodes, transaction.audit)
    do throws(StoreError) {
      try store.end(draft, with: batch)
    } catch {
      throw .storeFailed(error)
    }
    return effect
  }

  // MARK: - What runs

  /// What is known to run of a workload; nil while no node is registered. O(instances of the nodes that hold it).
  package func running(_ workload: String) -> RunningCapacity? { state.withLock { $0.fleet.running(workload) } }

  // MARK: - Heartbeats

  /// Takes what a node says of itself; nil where no such node is registered.
  ///
  /// - Parameter digest: of the bytes that said so, for ``heardAgain(_:from:)``.
  package func heard(_ said: NodeStateDocument, from name: String, digest: Int? = nil) -> NodeCondition? {
    let (clock, date) = (settings.clock(), wholeNow)
    return changing { state in
      let before = state.fleet[name]
      let condition = state.fleet.heard(said, from: name, digest: digest, at: clock, date: date)
      guard let before, let after = state.fleet[name] else { return condition }
      if !before.isAlike(after) || settings.sharesServices && !before.servesAlike(after) {
        // What is read back after a restart is what plans go by.
        state.unstored.states.insert(name)
        state.unstored.rows.insert(name)
      }
      if before.applied != after.applied { state.unstored.assignments.insert(name) }
      return condition
    }
  }

  /// Takes a heartbeat of the very bytes of the one before it; nil where it is not so. O(1).
  package func heardAgain(_ digest: Int, from name: String) -> NodeCondition? {
    let (clock, date) = (settings.clock(), wholeNow)
    return changing { state in
      let wasUnreachable = state.fleet[name]?.isUnreachable
      let condition = state.fleet.heardAgain(digest, from: name, at: clock, date: date)
      if condition != nil, state.fleet[name]?.isUnreachable != wasUnreachable { state.unstored.rows.insert(name) }
      return condition
    }
  }

  /// Looks for nodes whose heartbeats have stopped and stores what has changed; called about once a second.
  package func check() async throws(StoreError) {
    let clock = settings.clock()
    let isDue = changing { state in
      state.unstored.rows.formUnion(state.fleet.check(at: clock))
      for (name, time) in state.storedAt where clock - time > .seconds(60) { state.unstored.rows.insert(name) }
      return !state.unstored.rows.isEmpty || !state.unstored.assignments.isEmpty
    }
    if isDue { try await flush() }
  }

  /// The operator's word that the nodes which are silent now are lost. Answers their names; on disk when it returns.
  package func acceptSilence() async throws(StoreError) -> [String] {
    let clock = settings.clock()
    let draft = AuditDraft.open
    if let draft, draft.isDryRun {
      var fleet = state.withLock(\.fleet)
      let lost = fleet.acceptSilence(at: clock)
      guard !lost.isEmpty else { return [] }
      var batch = StoreBatch()
      for name in lost { if let record = fleet[name] { batch.nodes[name] = record } }
      batch.audit = [draft.change(200, "fleet")]
      try store.end(draft, with: batch)
    }
    let lost = changing { state in
      let lost = state.fleet.acceptSilence(at: clock)
      state.unstored.rows.formUnion(lost)
      if let draft, !lost.isEmpty { state.unstored.silence.append(draft) }
      return lost
    }
    if !lost.isEmpty { try await flush() }
    return lost
  }

  /// Returns once all that was changed before is on disk.
  package func flush() async throws(StoreError) { try await saving.run { await self.save() } }

  /// Takes over what another controller has stored.
  func follow(_ batch: StoreBatch) {
    guard
      !(batch.nodes.isEmpty && batch.nodeStates.isEmpty && batch.assignments.isEmpty && batch.removedNodes.isEmpty)
    else { return }
    let clock = settings.clock()
    changing { $0.fleet.follow(batch, at: clock) }
  }

  /// Returns once what was on its way to the store is in memory, or is not stored.
  func settle() async { await saving.settle() }

  // MARK: - Pushes

  /// Those of the nodes that are reached and have not verified what is wanted of them, and whose drain has not ended.
  ///
  /// - Parameter wanted: by name; who is not in it is to hold nothing.
  package func behind(_ wanted: [String: [WantedGPU]], among names: [String]) -> [String] {
    state.withLock { state in
      names.filter { name in
        guard let record = state.fleet[name] else { return false }
        switch NodeCondition(of: record) {
        case .draining: return true
        case .ready, .cordoned, .maintenance: return !record.hasVerified(wanted[name] ?? [])
        case .pending, .unreachable, .lost: return false
        }
      }
    }
  }

  /// The first phase of a revision that no node may have been told of, as far as is known. O(nodes).
  func phases(of revision: Int) -> Int {
    state.withLock { state in
      let versions = state.fleet.records.flatMap { record in
        [record.applied?.version, record.expected?.version, record.sent?.version, record.state?.verified?.version]
      }
      return versions.compactMap(\.self).filter { $0.revision == revision }.map { $0.phase + 1 }.max() ?? 0
    }
  }

  /// How long nodes have after a start until they have spoken.
  var patience: Duration { Heartbeats.patience(settings.heartbeat) }

  /// Whether none of these nodes has yet to speak after the start, and the time to.
  func haveSpoken(_ names: [String]) -> Bool { state.withLock { $0.fleet.haveSpoken(names) } }

  /// Returns once all of the nodes that have verified something have said what they look like since, or after `limit`.
  func untilHeard(of names: [String], within limit: Duration) async {
    await until(within: limit) { state in
      names.allSatisfy { name in
        guard let record = state.fleet[name] else { return true }
        return !record.isWordDue || record.isUnreachable
      }
    }
  }

  /// Returns once all of these instances are up on a node, the node is gone, or after `limit`; answers whether they are up.
  func untilUp(
    _ places: [(uuid: String, place: InstancePlace)], on name: String, within limit: Duration
  ) async -> Bool {
    @Sendable func isUp(_ record: NodeRecord) -> Bool {
      guard let applied = record.applied, !record.isWordDue else { return false }
      return places.allSatisfy { uuid, place in
        applied.instance(gpu: uuid, place: place).map { record.isUp($0, on: uuid) } ?? false
      }
    }
    await until(within: limit) { $0.fleet[name].map(isUp) ?? true }
    return node(name).map(isUp) ?? false
  }

  /// Looks now and then, as heartbeats come.
  @discardableResult
  private func until(within limit: Duration, _ isSo: @Sendable (borrowing State) -> Bool) async -> Bool {
    let end = ContinuousClock.now + limit
    while !state.withLock({ isSo($0) }) {
      guard ContinuousClock.now < end, (try? await Task.sleep(for: .milliseconds(50))) != nil else { return false }
    }
    return true
  }

  /// A push begins to bring this to a node.
  func expect(_ wanted: NodeAssignment, on name: String) { changing { $0.fleet.expect(wanted, on: name) } }

  /// The node has read this back as wanted.
  package func verified(_ wanted: NodeAssignment, on name: String) {
    changing { state in
      state.fleet.verified(wanted, on: name)
      guard state.fleet[name] != nil else { return }
      state.unstored.assignments.insert(name)
      state.unstored.states.insert(name)
      state.unstored.rows.insert(name)
    }
  }

  /// Nobody pushes this revision to the node any more, and it has not verified what was sent last.
  ///
  /// - Parameter mayCome: whether it may carry that out yet.
  func gaveUp(_ revision: Int, on name: String, mayCome: Bool) {
    changing { $0.fleet.gaveUp(revision, on: name, mayCome: mayCome) }
  }

  // MARK: - Parts

  /// Changes the fleet, and has plans made anew where it offers something else now.
  @discardableResult
  private func changing<Answer: Sendable>(_ body: (inout State) -> Answer) -> Answer {
    let date = wholeNow
    let (answer, isNews, isTraffic) = state.withLock { state in
      let before = (state.fleet.generation, state.fleet.edition)
      let answer = body(&state)
      // Told under the lock, so that what came first is told first.
      for news in state.fleet.settleConditions(at: date) { events.add("node", of: news) }
      return (answer, state.fleet.generation != before.0, state.fleet.edition != before.1)
    }
    if isNews { onChange() }
    if isTraffic { onTraffic() }
    return answer
  }

  /// Stores all that waits, as one batch.
  private func save() async -> StoreError? {
    let clock = settings.clock()
    let (group, results, declared, batch, unstored, drafts) = state.withLock { state in
      let fleet = state.fleet
      var transaction = NodeTransaction(count: fleet.count, limit: settings.limit, now: wholeNow) { fleet[$0] }
      let results = state.waiting.map { pending in
        Result { () throws(ChangeRefusal) in try transaction.perform(pending.change, for: pending.draft) }
      }
      var batch = StoreBatch()
      for name in state.unstored.rows { if let record = fleet[name] { batch.nodes[name] = record } }
      batch.nodes.merge(transaction.nodes) { $1 }
      batch.removedNodes = transaction.removed
      batch.audit = transaction.audit + state.unstored.silence.map { $0.change(200, "fleet") }
      for name in state.unstored.states { batch.nodeStates[name] = fleet[name]?.settled }
      for name in state.unstored.assignments { batch.assignments[name] = fleet[name]?.applied }
      for (name, record) in transaction.nodes where record == nil {
        batch.nodeStates[name] = nil
        batch.assignments[name] = nil
      }
      defer { (state.waiting, state.unstored) = ([], Unstored()) }
      let drafts = transaction.drafts + state.unstored.silence
      return (state.waiting, results, transaction.nodes, batch, state.unstored, drafts)
    }
    do throws(StoreError) {
      try await store.commit(batch)
    } catch {
      state.withLock { state in
        state.unstored.rows.formUnion(unstored.rows)
        state.unstored.states.formUnion(unstored.states)
        state.unstored.assignments.formUnion(unstored.assignments)
      }
      for pending in group { pending.done.resume(returning: .failure(.storeFailed(error))) }
      return error
    }
    changing { state in
      for (name, record) in declared {
        if let record { state.fleet.declare(record, at: clock) } else { state.fleet.remove(name) }
      }
      for draft in drafts { state.authors.note(draft.author, at: state.fleet.generation) }
      for (name, record) in batch.nodes { state.storedAt[name] = record == nil ? nil : clock }
    }
    for draft in drafts { draft.recorded() }
    for (pending, result) in zip(group, results) { pending.done.resume(returning: result) }
    return nil
  }

  /// The store keeps milliseconds, so that what is in memory is what a restart reads back.
  private var wholeNow: Date { Date(timeIntervalSince1970: (now().timeIntervalSince1970 * 1000).rounded() / 1000) }
}

extension NodeRecord {
  /// Whether its servers are where they were, and as well.
  fileprivate func servesAlike(_ other: NodeRecord) -> Bool {
    let (mine, theirs) = (settled?.services ?? [], other.settled?.services ?? [])
    return mine.count == theirs.count
      && zip(mine, theirs).allSatisfy { a, b in
        (a.kind, a.place, a.ordinal) == (b.kind, b.place, b.ordinal)
          && (a.workload, a.port, a.status, a.uuid) == (b.workload, b.port, b.status, b.uuid)
      }
  }

  /// Whether only what changes all the time differs: processes, services, the running operation.
  fileprivate func isAlike(_ other: NodeRecord) -> Bool {
    guard (isUnreachable, isLost) == (other.isUnreachable, other.isLost), let a = settled, let b = other.settled,
      (a.verified, a.owned) == (b.verified, b.owned), a.observed.gpus.count == b.observed.gpus.count
    else { return false }
    return zip(a.observed.gpus, b.observed.gpus).allSatisfy { p, q in
      (p.uuid, p.mig, p.fault, p.profiles) == (q.uuid, q.mig, q.fault, q.profiles)
        && p.instances.map(\.id) == q.instances.map(\.id)
    }
  }
}
