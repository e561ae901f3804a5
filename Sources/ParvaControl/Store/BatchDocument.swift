import Foundation
import ParvaHTTP
import ParvaWire

/// The property list of a batch. Members that are empty are left out.
///
/// Replicas of different versions share a log. A member that an older one would not know, at whatever depth, raises `current`,
/// and a batch that has it says that number: then the older one stops there, and does not go on without what it cannot read.
/// Batches without it say the number before, so that older ones go on. A test holds the members of each version.
struct BatchDocument: Codable {
  /// The second has what is a namespace's own: profiles, subscribers and their events; the third what is known of capacities.
  static let current = 3

  /// Names of its members, as this version knows them.
  static let members = Set(Mirror(reflecting: BatchDocument()).children.compactMap(\.label))

  struct Row: Codable {
    var spec: Data
    var revision: Int
    var createdAt: Date
    var updatedAt: Date
  }

  struct Profile: Codable {
    var model: String
    var product: String
    /// Absent: everybody's.
    var namespace: String?
    var spec: Data?
    var revision: Int
  }

  struct Space: Codable {
    var gpus: Double?
    var workloads: Int?
    var rate: Double?
    /// Absent where it is 1.
    var weight: Double?
    var revision: Int
    var contents: Int
    var createdAt: Date
    var updatedAt: Date
  }

  struct Claim: Codable {
    var key: String
    var fingerprint: Int64
    var revision: Int
    var time: Date

    init(_ claim: IdempotencyClaim, revision: Int = 0, time: Date = .distantPast) {
      (key, fingerprint) = (claim.key, Int64(bitPattern: claim.fingerprint))
      (self.revision, self.time) = (revision, time)
    }

    var claim: IdempotencyClaim { IdempotencyClaim(key: key, fingerprint: UInt64(bitPattern: fingerprint)) }
  }

  struct Plan: Codable {
    var revision: Int
    var demandRevision: Int
    var createdAt: Date
    var planner: String
    var status: String
    var gpuCount: Int
    var lowerBound: Double?
    var unplacedCount: Int
    var cause: PlanCause?
    var fleet: Int64?
    var document: Data
    var assignments: Data
  }

  struct Pin: Codable {
    var revision: Int
    var reason: String
    var since: Date
  }

  struct Kept: Codable {
    var count: Int
    var bytes: Int?
    var age: Double
    var now: Date
  }

  struct Node: Codable {
    var address: String
    var secret: String?
    var secretReference: String?
    var zone: String?
    var labels: [String: String]
    var revision: Int
    var createdAt: Date
    var updatedAt: Date
    var isDraining: Bool
    var isUnreachable: Bool
    var isLost: Bool
    var heardAt: Date?
    var duty: String
  }

  struct Progress: Codable {
    var isOver: Bool
    var head: Data
    var nodes: [KeyedChange<Data>]

    init(_ progress: OperationProgress) {
      (isOver, head, nodes) = (progress.isOver, progress.head, progress.nodes.changes)
    }

    var progress: OperationProgress { OperationProgress(isOver: isOver, head: head, nodes: nodes.data) }
  }

  struct Operation: Codable {
    var id: String
    var planRevision: Int
    var createdAt: Date
    var claim: Claim?
    var document: Data
    var progress: Progress
  }

  struct Token: Codable {
    var name: String
    var role: String
    var node: String?
    var namespace: String?
    var digest: Data
    var createdAt: Date
    var createdBy: String
    var expiresAt: Date?
    var lastUsedAt: Date?
  }

  struct Webhook: Codable {
    var name: String
    var url: String
    var types: [String]
    var selector: String?
    var isEnabled: Bool
    var retrySeconds: Int
    var secret: String
    var older: String?
    var olderUntil: Date?
    var revision: Int
    var createdAt: Date
    var updatedAt: Date
    var createdBy: String
  }

  struct Capacities: Codable {
    var forgetsOthers: Bool
    /// A ``CapacityFile``.
    var facts: Data
  }

  struct Event: Codable {
    var number: Int
    var time: Date
    var type: String
    /// Absent: the fleet's.
    var namespace: String?
    var labels: [String: String]
    var data: Data

    init(_ event: WebhookEvent) {
      (number, time, type) = (event.number, event.time, event.type.rawValue)
      (namespace, labels, data) = (event.namespace, event.labels, event.data)
    }

    func event() throws(StoreError) -> WebhookEvent {
      guard let type = WebhookEventType(rawValue: type) else {
        throw StoreError(.tooNew, "The store's log has an event \(type), which this version does not know.")
      }
      var event = WebhookEvent(time: time, type: type, namespace: namespace, labels: labels, data: data)
      event.number = number
      return event
    }
  }

  struct Letter: Codable {
    var webhook: String
    var message: String
    var event: Event
    var attempts: Int
    var code: String
    var at: Date
    var isDue: Bool
  }

  struct Letters: Codable {
    var added: [Letter]
    var removed: [Int]
    var due: [KeyedChange<Bool>]
    var retried: [KeyedChange<String>]
  }

  struct Audit: Codable {
    var time: Date
    var who: String
    var name: String
    var method: String
    var path: String
    var resource: String
    var requestID: String
    var status: Int
    var before: String?
    var after: String?
    var isChange: Bool
  }

  var version = Self.current
  var demandRevision: Int?
  var registrations: [KeyedChange<Row>]?
  var profiles: [Profile]?
  var namespaces: [KeyedChange<Space>]?
  var claims: [Claim]?
  var plan: Plan?
  /// No member where the batch says nothing of a pin, an empty list where it takes it away.
  var pin: [Pin]?
  var keptPlans: Kept?
  var firstClaimKept: Date?
  var nodes: [KeyedChange<Node>]?
  var nodeStates: [KeyedChange<Data>]?
  var assignments: [KeyedChange<Data>]?
  var removedNodes: [KeyedChange<Bool>]?
  var operations: [Operation]?
  var progress: [KeyedChange<Progress>]?
  var keptOperations: Int?
  var toldSegments: [KeyedChange<Data>]?
  var tokens: [KeyedChange<Token>]?
  var tokenUses: [KeyedChange<Date>]?
  var windows: [KeyedChange<Data>]?
  var webhooks: [KeyedChange<Webhook>]?
  var webhookProgress: [KeyedChange<Data>]?
  var webhookEvents: [Event]?
  var deadLetters: Letters?
  var audit: [Audit]?
  var keptAudit: Kept?
  var capacities: Capacities?
}
