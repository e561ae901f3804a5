package import Foundation
package import ParvaEngine
package import ParvaWire

/// The nodes with their heartbeats and what they offer to plans, kept up to date change by change.
///
/// Pure: time comes in with each call, and nothing is stored or sent. A heartbeat costs what its own node's state costs,
/// whatever the size of the fleet; what the nodes offer together is joined when somebody asks.
package struct FleetState: Sendable {
  package struct Settings: Sendable {
    /// What nodes are asked to keep between two heartbeats.
    package var heartbeat = Duration.seconds(10)
    /// How long an unreachable node keeps its GPUs and its part of the plan.
    package var grace = Duration.seconds(60)

    package init() {}
  }

  private struct Entry: Sendable {
    var record: NodeRecord
    var beats: Heartbeats
    var share: NodeShare
    /// Digest of the body that brought ``NodeRecord/state``.
    var digest: Int?
    var conditions = ConditionList()
  }

  package let settings: Settings
  private let priced: [Pool]
  private var entries: [String: Entry] = [:]
  /// Those that have yet to speak after the start, and have the time to.
  private var awaited: Set<String> = []
  /// Names that were removed: their agents are told so, and come back only by a registration.
  package private(set) var removed: Set<String>
  /// How many nodes that are not lost report each UUID.
  private var reporters: [String: Int] = [:]
  private var joined: FleetInventory?
  private var holders = WorkloadHolders()
  /// What the current plan wants of the nodes; nil while none is bound to them.
  private var planned: PlannedNodes?
  /// Silent nodes that the newest plan would have put something new on: plans are made anew once one of them is back.
  private var avoided: Set<String> = []
  /// Nodes whose conditions may have changed, and those that were removed.
  private var due: Set<String> = []
  /// Workloads of nodes of which something has changed, for whoever looks at their status.
  private var touched: Set<String> = []
  /// Grows whenever the nodes offer something else to plans.
  package private(set) var generation = 0
  /// Grows with every change that the nodes' endpoints may follow from.
  package private(set) var edition = 0
  /// Whether more than half of the nodes are silent.
  private var isCutOff = false
  /// When the controller last stopped taking itself for cut off: every grace begins anew then.
  private var reconnectedAt: ContinuousClock.Instant?

  /// - Parameter priced: configured pools, for cost and watts of products.
  package init(
    nodes: [NodeRecord], removed: Set<String> = [], settings: Settings, priced: [Pool] = [],
    at now: ContinuousClock.Instant
  ) {
    self.settings = settings
    self.priced = priced
    self.removed = removed
    for node in nodes { insert(node, at: now) }
    weighSilence(at: now)
    generation = 0
  }

  // MARK: - Looking

  package var count: Int { entries.count }

  package subscript(name: String) -> NodeRecord? { entries[name]?.record }

  /// One node with its GPUs as plans may use them, and its conditions. O(its GPUs).
  package func node(_ name: String) -> (record: NodeRecord, gpus: [FleetGPU], conditions: [ConditionDocument])? {
    entries[name].map { ($0.record, $0.share.gpus(sharing: isShared), $0.conditions.rows) }
  }

  package func conditions(of name: String) -> [ConditionDocument] { entries[name]?.conditions.rows ?? [] }

  package var records: some Sequence<NodeRecord> { entries.values.lazy.map(\.record) }

  /// Whether none of these nodes has yet to speak after the start, and the time to. O(names).
  func haveSpoken(_ names: [String]) -> Bool { !names.contains(where: awaited.contains) }

  /// Whether every node has spoken since the start, or has had the time to. O(1).
  package var hasHeardAll: Bool { awaited.isEmpty }

  /// All nodes. O(nodes), and O(GPUs) after a change of what they offer.
  package mutating func snapshot() -> Fleet {
    Fleet(nodes: entries.mapValues(\.record), inventory: inventoryNow(), generation: generation)
  }

  /// What the nodes offer together. O(GPUs) after a change of it.
  mutating func inventoryNow() -> FleetInventory {
    let inventory = joined ?? inventory()
    joined = inventory
    return inventory
  }

  /// What is known to run of a workload; nil while no node is registered. O(instances of the nodes that hold it).
  package func running(_ workload: String) -> RunningCapacity? {
    guard !entries.isEmpty else { return nil }
    var running = RunningCapacity()
    for name in holders[workload] { entries[name]?.record.addRunning(workload, to: &running) }
    return running
  }

  /// Whether more than half of the nodes are silent, so that the controller takes itself for cut off.
  package var takesItselfForCutOff: Bool { isCutOff }

  /// O(nodes).
  package var counted: FleetCount {
    var count = FleetCount(isCutOff: isCutOff)
    for (name, entry) in entries {
      count.nodes[NodeCondition(of: entry.record), default: 0] += 1
      for row in entry.conditions.rows { count.conditions[row.type, default: [:]][row.status, default: 0] += 1 }
      guard let planned, planned.told.contains(name) else { continue }
      let verified = entry.record.state?.verified?.revision
      let hasIt = entry.record.hasVerified(planned.wanted[name] ?? [])
      count.lag[hasIt ? 0 : verified.map { max(1, planned.revision - $0) }, default: 0] += 1
    }
    return count
  }

  private func inventory() -> FleetInventory {
    FleetInventory(
      shares: entries.values.map(\.share).sorted { $0.node < $1.node }, priced: priced, isShared: isShared)
  }

  private func isShared(_ uuid: String) -> Bool { reporters[uuid, default: 0] > 1 }

  // MARK: - Conditions

  /// What a new plan wants of the nodes. O(1); their conditions follow.
  package mutating func take(_ plan: PlannedNodes?) {
    planned = plan
    due.formUnion(entries.keys)
  }

  /// What the newest plan could not use because of these nodes' silence is planned for once one of them is back.
  mutating func avoid(_ names: Set<String>) {
    avoided = names
    if names.contains(where: { entries[$0]?.record.isUnreachable == false }) { generation += 1 }
  }

  /// Workloads of which something may have changed since the last call.
  package mutating func takeTouchedWorkloads() -> Set<String> {
    defer { touched = [] }
    return touched
  }

  private mutating func holds(_ name: String, from old: NodeAssignment?, to new: NodeAssignment?) {
    holders.change(name, from: old, to: new)
    touched.formUnion(WorkloadHolders.workloads(old))
  }

  /// Brings the conditions of those nodes up to date of which something has changed. Answers what differs, by name.
  ///
  /// - Complexity: O(state of those nodes).
  package mutating func settleConditions(at date: Date) -> [NodeNews] {
    defer { due = [] }
    var news: [NodeNews] = []
    for name in due.sorted() {
      guard let entry = entries[name] else {
        if removed.contains(name) { news.append(NodeNews(name: name, state: nil, conditions: [])) }
        continue
      }
      touched.formUnion(WorkloadHolders.workloads(entry.record.applied))
      let usable = entry.share.gpus(sharing: isShared).count { $0.exclusion == nil }
      let now = entry.record.conditions(usable: usable, plan: planned)
      let changed = entries[name]?.conditions.take(now, at: date) ?? []
      if !changed.isEmpty {
        news.append(NodeNews(name: name, state: NodeCondition(of: entry.record).rawValue, conditions: changed))
      }
    }
    return news
  }

  // MARK: - Declarations

  /// Takes over what is declared of a node.
  package mutating func declare(_ record: NodeRecord, at now: ContinuousClock.Instant) {
    removed.remove(record.name)
    guard entries[record.name] != nil else { return insert(record, at: now) }
    change(record.name) { $0.record.declare(record) }
  }

  package mutating func remove(_ name: String) {
    removed.insert(name)
    due.insert(name)
    awaited.remove(name)
    edition += 1
    guard let entry = entries.removeValue(forKey: name) else { return }
    holds(name, from: entry.record.applied, to: nil)
    joined = nil
    let isNews = count(entry.share, -1)
    if isNews || entry.share.gpus.contains(where: { $0.pool != nil }) || entries.isEmpty { generation += 1 }
  }

  private mutating func insert(_ record: NodeRecord, at now: ContinuousClock.Instant) {
    edition += 1
    let isFirst = entries.isEmpty
    let beats = Heartbeats(isUnreachable: record.isUnreachable, isLost: record.isLost, now: now)
    let entry = Entry(record: record, beats: beats, share: NodeShare(record))
    entries[record.name] = entry
    if record.state != nil, !record.isLost { awaited.insert(record.name) }
    due.insert(record.name)
    holds(record.name, from: nil, to: record.applied)
    joined = nil
    let isNews = count(entry.share, 1)
    if isNews || isFirst || entry.share.gpus.contains(where: { $0.pool != nil }) { generation += 1 }
  }

  /// Takes over what another controller has stored: what a restart would read back. O(what changes).
  mutating func follow(_ batch: StoreBatch, at now: ContinuousClock.Instant) {
    for (name, isRemoved) in batch.removedNodes where !isRemoved { removed.remove(name) }
    for (name, record) in batch.nodes {
      guard let record else {
        let isKept = batch.removedNodes[name] == true || removed.contains(name)
        remove(name)
        if !isKept { removed.remove(name) }
        continue
      }
      if entries[name] == nil {
        var bare = record
        (bare.state, bare.settled, bare.applied, bare.expected, bare.sent) = (nil, nil, nil, nil, nil)
        (bare.isWordDue, bare.isSentIdle) = (false, false)
        insert(bare, at: now)
      } else {
        change(name) { entry in
          entry.record.declare(record)
          (entry.record.isUnreachable, entry.record.isLost) = (record.isUnreachable, record.isLost)
          entry.record.heardAt = record.heardAt
        }
      }
    }
    for (name, state) in batch.nodeStates {
      change(name) { entry in
        (entry.record.state, entry.record.settled, entry.record.isWordDue) = (state, state, true)
        entry.digest = nil
      }
    }
    for (name, assignment) in batch.assignments where entries[name] != nil {
      holds(name, from: entries[name]?.record.applied, to: assignment)
      change(name) { $0.record.applied = assignment }
    }
    for (name, isRemoved) in batch.removedNodes where isRemoved && entries[name] == nil { removed.insert(name) }
    weighSilence(at: now)
  }

  // MARK: - What nodes say

  /// Takes a heartbeat that carries the very bytes of the one before it; nil where it does not, or no node of that name is
  /// there. O(1).
  package mutating func heardAgain(
    _ digest: Int, from name: String, at now: ContinuousClock.Instant, date: Date
  ) -> NodeCondition? {
    guard let entry = entries[name], entry.digest == digest else { return nil }
    return heard(name, at: now, date: date, saysNew: false) { _ in }
  }

  /// Takes what a node says of itself; nil where no such node is registered. O(its state).
  package mutating func heard(
    _ state: NodeStateDocument, from name: String, digest: Int? = nil, at now: ContinuousClock.Instant, date: Date
  ) -> NodeCondition? {
    heard(name, at: now, date: date) { entry in
      entry.digest = digest
      entry.record.state = state
      // What the node wrote before it ended its operation may come after the end of it was seen.
      if entry.record.isWordDue, state.operation != nil, let applied = entry.record.applied?.version,
        state.verified.map({ $0.version < applied }) ?? false
      {
        entry.record.state?.verified = VerifiedDocument(applied)
      }
      if state.operation == nil { entry.record.isWordDue = false }
      if state.operation == nil || entry.record.settled == nil { entry.record.settled = state }
    }
  }

  private mutating func heard(
    _ name: String, at now: ContinuousClock.Instant, date: Date, saysNew: Bool = true, _ take: (inout Entry) -> Void
  ) -> NodeCondition? {
    guard let before = entries[name]?.record else { return nil }
    let interval = settings.heartbeat
    change(name, isNews: saysNew) { entry in
      take(&entry)
      // The node may say that it is through before its operation is looked at, or after the push was given up.
      let verified = entry.record.state?.verified?.version
      if let expected = entry.record.expected, verified == expected.version { entry.record.applied = expected }
      if let sent = entry.record.sent, verified == sent.version {
        (entry.record.applied, entry.record.sent) = (sent, nil)
      }
      if let sent = entry.record.sent, let state = entry.record.state {
        entry.record.isSentIdle = state.operation == nil && state.accepted != sent.revision
      }
      entry.record.heardAt = date
      entry.beats.heard(at: now, interval: interval)
      entry.record.isUnreachable = entry.beats.isUnreachable
      if !entry.record.isUnreachable { entry.record.isLost = false }
    }
    // Whoever waits until all have spoken looks again, whatever it said.
    if awaited.remove(name) != nil { edition += 1 }
    if before.isUnreachable != self[name]?.isUnreachable { due.insert(name) }
    if before.applied != entries[name]?.record.applied {
      due.insert(name)
      holds(name, from: before.applied, to: entries[name]?.record.applied)
    }
    if before.isUnreachable != self[name]?.isUnreachable {
      weighSilence(at: now)
      if avoided.contains(name) { generation += 1 }
    }
    return self[name].map(NodeCondition.init(of:))
  }

  /// Looks at the clock: who has fallen silent, and whose grace is over. Answers the names whose condition changed. O(nodes).
  package mutating func check(at now: ContinuousClock.Instant) -> [String] {
    var changed: [String] = []
    let interval = settings.heartbeat
    for name in entries.keys {
      entries[name]?.beats.check(at: now, interval: interval)
      guard let entry = entries[name], entry.record.isUnreachable != entry.beats.isUnreachable else { continue }
      change(name) { $0.record.isUnreachable = $0.beats.isUnreachable }
      changed.append(name)
    }
    let late = awaited.filter { entries[$0]?.beats.isAwaited(at: now, interval: interval) != true }
    if !late.isEmpty {
      awaited.subtract(late)
      edition += 1
    }
    weighSilence(at: now)
    guard !isCutOff else { return changed }
    for (name, entry) in entries where !entry.record.isLost && !awaited.contains(name) {
      guard let silent = entry.beats.silentSince, now - max(silent, reconnectedAt ?? silent) >= settings.grace else {
        continue
      }
      change(name) { $0.record.isLost = true }
      changed.append(name)
    }
    return changed
  }

  /// The operator's word that the nodes which are silent now are lost, however many they are. Answers their names.
  package mutating func acceptSilence(at now: ContinuousClock.Instant) -> [String] {
    let silent = entries.values.filter { $0.record.isUnreachable && !$0.record.isLost }.map(\.record.name).sorted()
    for name in silent { change(name) { $0.record.isLost = true } }
    awaited.subtract(silent)
    weighSilence(at: now)
    return silent
  }

  /// When more than half of those that plans count on are silent at once, it is the controller that is cut off.
  private mutating func weighSilence(at now: ContinuousClock.Instant) {
    let counted = entries.values.filter {
      $0.record.state != nil && !$0.record.isDraining && !$0.record.isLost && $0.record.duty != .maintenance
    }
    let silent = counted.count { $0.record.isUnreachable }
    let was = isCutOff
    isCutOff = silent * 2 > counted.count
    if was != isCutOff { edition += 1 }
    if was && !isCutOff { reconnectedAt = now }
  }

  // MARK: - Pushes

  /// A push begins to bring this to the node.
  package mutating func expect(_ wanted: NodeAssignment, on name: String) {
    guard entries[name] != nil else { return }
    entries[name]?.record.expected = wanted
    due.insert(name)
    edition += 1
  }

  /// The node has read this back as wanted.
  package mutating func verified(_ wanted: NodeAssignment, on name: String) {
    if entries[name]?.record.expected?.version == wanted.version { entries[name]?.record.expected = nil }
    holds(name, from: entries[name]?.record.applied, to: entries[name] == nil ? nil : wanted)
    // The node's own word follows with its next heartbeat; until then what it said of this assignment stands.
    change(name) { entry in
      entry.record.applied = wanted
      entry.record.sent = nil
      // It may have said so before its operation was looked at.
      entry.record.isWordDue = entry.record.state?.verified?.version != wanted.version
      if entry.record.state?.verified?.version != wanted.version {
        entry.record.state?.verified = VerifiedDocument(wanted.version)
        entry.record.settled?.verified = VerifiedDocument(wanted.version)
      }
      entry.digest = nil
    }
  }

  /// Nobody pushes this revision to the node any more, and it has not verified what was sent last.
  ///
  /// - Parameter mayCome: whether it may carry that out yet.
  package mutating func gaveUp(_ revision: Int, on name: String, mayCome: Bool) {
    guard let expected = entries[name]?.record.expected, expected.revision == revision else { return }
    entries[name]?.record.expected = nil
    due.insert(name)
    edition += 1
    guard mayCome else { return }
    entries[name]?.record.sent = expected
    entries[name]?.record.isSentIdle = false
  }

  // MARK: - Parts

  /// Changes one node, and what it offers where that follows from the change.
  ///
  /// - Parameter isNews: whether its conditions may be others then.
  private mutating func change(_ name: String, isNews isDue: Bool = true, _ body: (inout Entry) -> Void) {
    guard var entry = entries[name] else { return }
    if isDue { due.insert(name) }
    let before = entry
    body(&entry)
    if entry.record.endpointsMayDiffer(from: before.record) { edition += 1 }
    if entry.record.offersMayDiffer(from: before.record) {
      entry.share = NodeShare(entry.record)
      if entry.share != before.share {
        joined = nil
        var isNews = !entry.share.offersSame(as: before.share)
        if entry.share.isLost != before.share.isLost || entry.share.gpus.map(\.uuid) != before.share.gpus.map(\.uuid) {
          let (gone, come) = (count(before.share, -1), count(entry.share, 1))
          isNews = isNews || gone || come
        }
        if isNews { generation += 1 }
      }
    }
    entries[name] = entry
  }

  /// Counts a share's UUIDs in or out; whether some other node's GPU becomes or ceases to be a duplicate.
  private mutating func count(_ share: NodeShare, _ step: Int) -> Bool {
    var isNews = false
    for gpu in share.gpus where !share.isLost {
      let before = reporters[gpu.uuid, default: 0]
      reporters[gpu.uuid] = before + step == 0 ? nil : before + step
      if (before > 1) != (before + step > 1) { isNews = true }
    }
    // Others may use fewer or more of their GPUs then.
    if isNews { due.formUnion(entries.keys) }
    return isNews
  }
}

extension NodeRecord {
  /// Whether anything differs that endpoints follow from. The first word after the start counts, too.
  fileprivate func endpointsMayDiffer(from other: NodeRecord) -> Bool {
    (address, zone, isUnreachable, isLost) != (other.address, other.zone, other.isUnreachable, other.isLost)
      || isWordDue != other.isWordDue || state?.services != other.state?.services
      || state?.owned != other.state?.owned || applied != other.applied || expected != other.expected
      || sent != other.sent || isSentIdle != other.isSentIdle
  }

  /// Whether anything differs that ``NodeShare`` looks at.
  fileprivate func offersMayDiffer(from other: NodeRecord) -> Bool {
    (zone, isDraining, isUnreachable, isLost, duty)
      != (other.zone, other.isDraining, other.isUnreachable, other.isLost, other.duty)
      || (state == nil) != (other.state == nil) || settled?.managesMIGMode != other.settled?.managesMIGMode
      || settled?.owned != other.settled?.owned || settled?.observed.gpus != other.settled?.observed.gpus
  }
}
