import Foundation
import ParvaWire

/// What batches that are stored mean to subscribers: the events go into the very batch, so that there is no change without
/// its event and no event without its change.
struct WebhookNews: Sendable {
  fileprivate struct Node: Sendable, Equatable {
    var isDraining: Bool
    var isHeard: Bool
    var isLost: Bool
    var isUnreachable: Bool
    var duty: NodeDuty
    var labels: [String: String]

    init(_ record: NodeRecord) {
      (isDraining, isHeard, isLost) = (record.isDraining, record.state != nil, record.isLost)
      (isUnreachable, duty, labels) = (record.isUnreachable, record.duty, record.labels)
    }

    var condition: NodeCondition {
      NodeCondition(
        isDraining: isDraining, isHeard: isHeard, isLost: isLost, isUnreachable: isUnreachable, duty: duty)
    }
  }

  /// How an operation stands, as far as it makes a phase.
  fileprivate struct Phase: Sendable, Equatable, Decodable {
    struct Rollout: Sendable, Equatable, Decodable {
      var phases: Int
      var waves: Int?
    }

    var planRevision: Int?
    var status: FleetOperationDocument.Status
    var rollout: Rollout
  }

  /// What was known before a batch, taken over when it is on disk.
  struct Knowledge: Sendable {
    fileprivate var nodes: [String: Node?] = [:]
    fileprivate var phases: [String: Phase] = [:]
    fileprivate var plan: Int?
  }

  private var nodes: [String: Node]
  /// Of operations that are not over.
  private var phases: [String: Phase] = [:]
  private var plan: Int

  init(_ contents: StoreContents) {
    nodes = Dictionary(uniqueKeysWithValues: contents.nodes.map { ($0.name, Node($0)) })
    plan = contents.plan?.record.revision ?? 0
    for operation in contents.openOperations {
      phases[operation.id] = Self.phase(operation.progress) ?? Self.begun(operation)
    }
  }

  /// The events of a batch, and what is known with it.
  func events(of batch: StoreBatch, at time: Date) -> (events: [WebhookEvent], knowledge: Knowledge) {
    var events: [WebhookEvent] = []
    var knowledge = Knowledge()
    func add(_ type: WebhookEventType, labels: [String: String] = [:], _ data: some Encodable) {
      guard let data = Self.json(data) else { return }
      events.append(WebhookEvent(time: time, type: type, labels: labels, data: data))
    }
    if let record = batch.plan?.record, record.revision > plan {
      knowledge.plan = record.revision
      add(.planPublished, PlanNews(record))
    }
    for operation in batch.operations {
      let phase = Self.begun(operation)
      knowledge.phases[operation.id] = phase
      add(.rolloutChanged, RolloutNews(operation.id, phase))
    }
    for (id, progress) in batch.progress.sorted(by: { $0.key < $1.key }) {
      guard let phase = Self.phase(progress), phase != knowledge.phases[id] ?? phases[id] else { continue }
      knowledge.phases[id] = phase
      add(.rolloutChanged, RolloutNews(id, phase))
    }
    for (name, record) in batch.nodes { knowledge.nodes[name] = .some(record.map(Node.init)) }
    for name in batch.nodeStates.keys {
      guard var node = knowledge.nodes[name] ?? nodes[name] else { continue }
      node.isHeard = true
      knowledge.nodes[name] = .some(node)
    }
    for (name, node) in knowledge.nodes.sorted(by: { $0.key < $1.key }) {
      let before = nodes[name]
      guard node?.condition != before?.condition else { continue }
      let labels = node?.labels ?? before?.labels ?? [:]
      add(
        .nodeChanged, labels: labels,
        NodeNews(
          name: name, state: node?.condition.rawValue ?? "removed", previous: before?.condition.rawValue, labels: labels
        ))
    }
    return (events, knowledge)
  }

  mutating func learn(_ knowledge: Knowledge) {
    for (name, node) in knowledge.nodes { nodes[name] = node }
    for (id, phase) in knowledge.phases { phases[id] = phase.status.isOver ? nil : phase }
    plan = max(plan, knowledge.plan ?? 0)
  }

  private static func begun(_ operation: StoredOperation) -> Phase {
    Phase(planRevision: operation.planRevision, status: .running, rollout: Phase.Rollout(phases: 0))
  }

  private static func phase(_ progress: OperationProgress) -> Phase? {
    progress.head.isEmpty ? nil : try? JSONDecoder().decode(Phase.self, from: progress.head)
  }

  static func json(_ value: some Encodable) -> Data? {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return try? encoder.encode(value)
  }

  // MARK: - What messages hold

  private struct PlanNews: Encodable {
    var revision: Int
    var demandRevision: Int
    var gpuCount: Int
    var unplaced: Int
    var status: String
    var plan: String

    init(_ record: PlanRecord) {
      (revision, demandRevision, gpuCount) = (record.revision, record.demandRevision, record.gpuCount)
      (unplaced, status, plan) = (record.unplacedCount, record.status, "/v1/plans/\(record.revision)")
    }
  }

  private struct RolloutNews: Encodable {
    var operation: String
    var planRevision: Int?
    var status: String
    var phase: Int
    var waves: Int?

    init(_ id: String, _ phase: Phase) {
      (operation, planRevision, status) = (id, phase.planRevision, phase.status.rawValue)
      (self.phase, waves) = (phase.rollout.phases, phase.rollout.waves)
    }
  }

  private struct NodeNews: Encodable {
    var name: String
    var state: String
    var previous: String?
    var labels: [String: String]
  }
}
