import Foundation
import ParvaWire

/// One request to change what is declared of a node.
struct NodeChange: Sendable {
  enum Operation: Sendable {
    /// A declaration without a secret keeps the one that is there. A drain ends with it unless `keepsDrain` is set.
    case put(NodeSpec, keepsDrain: Bool)
    /// Takes the node out: at once where Parva has nothing on it or `force` is set, else after a drain.
    case delete(force: Bool)
    /// What an operator wants of it.
    case duty(NodeDuty)
    /// Ends the drain of a node whose last instances are gone.
    case endDrain
  }

  enum Effect: Hashable, Sendable {
    case created, replaced, unchanged, removed
    /// Plans leave it out; it goes when its last instances are gone.
    case draining
  }

  var name: String
  var operation: Operation
  var precondition = Precondition.none
}

/// Changes of nodes that are stored together: each sees those before it.
struct NodeTransaction {
  private let limit: Int
  private let now: Date
  private var count: Int
  private let base: (String) -> NodeRecord?
  /// Records to set by name, nil to take one away.
  private(set) var nodes: [String: NodeRecord?] = [:]
  /// Whether a name is to be remembered as removed.
  private(set) var removed: [String: Bool] = [:]
  /// Rows of the audit that go with them.
  private(set) var audit: [AuditEntry] = []
  /// Of the requests that have one.
  private(set) var drafts: [AuditDraft] = []

  init(count: Int, limit: Int, now: Date, base: @escaping (String) -> NodeRecord?) {
    self.count = count
    self.limit = limit
    self.now = now
    self.base = base
  }

  private subscript(name: String) -> NodeRecord? { nodes[name] ?? base(name) }

  /// - Parameter draft: of the request on whose behalf it is done.
  mutating func perform(
    _ change: NodeChange, for draft: AuditDraft?
  ) throws(ChangeRefusal) -> NodeChange.Effect {
    let before = self[change.name]
    let effect = try performed(change)
    let after = self[change.name]
    if let draft, before?.revision != after?.revision {
      drafts.append(draft)
      audit.append(
        draft.change(effect.status, before: before?.tagForRecords, after: after?.tagForRecords))
    }
    return effect
  }

  private mutating func performed(_ change: NodeChange) throws(ChangeRefusal) -> NodeChange.Effect {
    let current = self[change.name]
    guard change.precondition.holds(at: current?.revision) else {
      throw .preconditionFailed(current: current?.revision)
    }
    switch change.operation {
    case .put(let spec, let keepsDrain): return try put(spec, change.name, current, keepsDrain)
    case .delete(let force):
      guard var record = current else { throw .notFound }
      if force || !record.holdsAnything { return remove(change.name) }
      guard !record.isDraining else { return .draining }
      record.isDraining = true
      record.revision += 1
      record.updatedAt = now
      nodes[change.name] = record
      return .draining
    case .duty(let duty):
      guard var record = current else { throw .notFound }
      guard record.duty != duty else { return .unchanged }
      record.duty = duty
      record.revision += 1
      record.updatedAt = now
      nodes[change.name] = record
      return .replaced
    case .endDrain:
      guard current?.isDraining == true else { return .unchanged }
      return remove(change.name)
    }
  }

  private mutating func put(
    _ spec: NodeSpec, _ name: String, _ current: NodeRecord?, _ keepsDrain: Bool
  ) throws(ChangeRefusal) -> NodeChange.Effect {
    guard current != nil || count < limit else { throw .tooMany(limit: limit) }
    var record = NodeRecord(spec, named: name, revision: (current?.revision ?? 0) + 1, at: now)
    if let current {
      if spec.webhookSecret == nil && spec.webhookSecretRef == nil {
        record.secret = current.secret
        record.secretReference = current.secretReference
      }
      record.isDraining = keepsDrain && current.isDraining
      record.duty = current.duty
      if record.declaresSame(as: current) && record.isDraining == current.isDraining { return .unchanged }
      record.createdAt = current.createdAt
      var changed = current
      changed.declare(record)
      record = changed
    } else {
      count += 1
    }
    nodes[name] = record
    removed[name] = false
    return current == nil ? .created : .replaced
  }

  private mutating func remove(_ name: String) -> NodeChange.Effect {
    count -= 1
    nodes[name] = .some(nil)
    removed[name] = true
    return .removed
  }
}

extension NodeChange.Effect {
  /// What the request is answered.
  fileprivate var status: Int {
    switch self {
    case .created: 201
    case .replaced, .unchanged: 200
    case .removed: 204
    case .draining: 202
    }
  }
}

extension NodeRecord {
  /// Without secrets: a hash of them would help to guess.
  fileprivate var tagForRecords: String {
    let labels = labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    let lines = [address, zone ?? "", secretReference ?? "", duty.rawValue, isDraining ? "draining" : ""] + labels
    return EntityTag.forRecords(revision, Data(lines.joined(separator: "\n").utf8))
  }

  /// Whether Parva has anything there, as far as the node has said or was told: instances, some on a GPU that does not
  /// answer, services, or a push under way.
  fileprivate var holdsAnything: Bool {
    if [applied, expected, sent].contains(where: { $0?.gpus.contains { !$0.instances.isEmpty } == true }) {
      return true
    }
    guard let settled else { return false }
    return state?.operation != nil || !settled.owned.isEmpty || settled.lost?.isEmpty == false
      || !settled.services.isEmpty
  }
}
