package import Foundation
import ParvaFormats

/// What subscribers are told of.
package enum WebhookEventType: String, Hashable, Sendable, CaseIterable {
  case planPublished = "plan.published"
  /// An operation began, went a phase on, or ended.
  case rolloutChanged = "rollout.phase_changed"
  case workloadChanged = "workload.state_changed"
  case nodeChanged = "node.state_changed"

  /// What a namespace's subscribers may be told of.
  package static let own: [WebhookEventType] = [.planPublished, .workloadChanged]

  /// Whether what it tells of has labels.
  var hasLabels: Bool { self == .workloadChanged || self == .nodeChanged }
}

/// A type of event, as the fleet's subscribers are told of it, or those of one namespace.
struct WebhookInterest: Hashable, Sendable {
  var namespace: String?
  var type: WebhookEventType

  init(_ namespace: String?, _ type: WebhookEventType) { (self.namespace, self.type) = (namespace, type) }
}

extension WebhookRecord {
  /// What it wants to be told of.
  var interests: [WebhookInterest] { wish.types.map { WebhookInterest(namespace, $0) } }

  /// Whether it is told of what is seen while the controller runs, and not of what is stored alone.
  var followsLog: Bool { namespace != nil || wish.types.contains(.workloadChanged) }
}

/// Somebody who is told what happens, as it was last declared. One of a namespace has the id `NAMESPACE:ID`.
package struct WebhookRecord: Hashable, Sendable {
  /// A secret that another has replaced, and that signs beside it for a while.
  package struct OlderSecret: Hashable, Sendable {
    package var secret: NodeSecret
    package var until: Date

    package init(secret: NodeSecret, until: Date) { (self.secret, self.until) = (secret, until) }
  }

  /// What its owner decides.
  package struct Wish: Hashable, Sendable {
    /// For people and logs; several may have one name.
    package var name: String
    package var url: String
    /// Without repetition, in the order of their names.
    package var types: [WebhookEventType]
    /// Which workloads and nodes it is told of, as a label selector; nil: of all.
    package var selector: String?
    package var isEnabled: Bool
    /// For how long a message is tried, from the event on.
    package var retrySeconds: Int

    package init(
      name: String, url: String, types: [WebhookEventType], selector: String? = nil, isEnabled: Bool = true,
      retrySeconds: Int = 86_400
    ) {
      self.name = name
      self.url = url
      self.types = types
      self.selector = selector
      self.isEnabled = isEnabled
      self.retrySeconds = retrySeconds
    }
  }

  package var id: String
  /// Whose events alone it is told; nil for the fleet's.
  package var namespace: String? { Namespace.isQualified(id) ? Namespace.of(id) : nil }
  package var wish: Wish
  package var secret: NodeSecret
  package var older: OlderSecret?
  /// Grows by one with every change.
  package var revision: Int
  package var createdAt: Date
  package var updatedAt: Date
  /// Id of the caller who made it.
  package var createdBy: String

  package init(
    id: String, wish: Wish, secret: NodeSecret, older: OlderSecret? = nil, revision: Int, createdAt: Date,
    updatedAt: Date, createdBy: String
  ) {
    self.id = id
    self.wish = wish
    self.secret = secret
    self.older = older
    self.revision = revision
    self.createdAt = createdAt
    self.updatedAt = updatedAt
    self.createdBy = createdBy
  }
}

/// Something that subscribers are told of, as it is kept for them.
package struct WebhookEvent: Hashable, Sendable {
  /// Place among the events, without holes; the store gives it.
  package var number = 0
  package var time: Date
  package var type: WebhookEventType
  /// Whose subscribers are told it, in its words; nil: the fleet's.
  package var namespace: String?
  /// Of the workload or node; empty for what has none.
  package var labels: [String: String]
  /// A JSON object.
  package var data: Data

  package init(
    time: Date, type: WebhookEventType, namespace: String? = nil, labels: [String: String] = [:], data: Data
  ) {
    self.time = time
    self.type = type
    self.namespace = namespace
    self.labels = labels
    self.data = data
  }
}

/// Some of the events that are kept.
package struct WebhookEventPage: Hashable, Sendable {
  /// In order of number.
  package var events: [WebhookEvent]
  /// Number of the oldest and of the newest event that is kept; where there is none, 1 and 0.
  package var oldest: Int
  package var newest: Int

  package init(events: [WebhookEvent], oldest: Int, newest: Int) {
    (self.events, self.oldest, self.newest) = (events, oldest, newest)
  }
}

/// How far a subscriber has come.
package struct WebhookProgress: Hashable, Sendable, Codable {
  /// Why a subscriber is to read everything anew.
  package enum Gap: String, Hashable, Sendable, Codable {
    /// The controller began anew: states of workloads may have changed unseen.
    case restart
    /// More happened than is kept for subscribers.
    case overflow
    /// Something could not be stored.
    case store
    /// It was not told for a while, because it was switched off.
    case enabled
  }

  /// Number of the last event that was delivered, passed over or given up.
  package var position: Int
  /// Tries of the message that is next, so far.
  package var attempts = 0
  /// Failures since the last success, of whichever message.
  package var failures = 0
  package var failingSince: Date?
  package var nextTry: Date?
  package var lastSuccess: Date?
  /// To be told before all else.
  package var gap: Gap?
  package var gapAt: Date?
  /// Set where the receiver has said that it is gone.
  package var isGone = false

  package init(position: Int) { self.position = position }
}

/// A message that was given up.
package struct DeadLetter: Hashable, Sendable {
  /// Place among all of them; the store gives it.
  package var number = 0
  /// Id of the subscriber.
  package var webhook: String
  /// As the receiver sees it in `webhook-id`.
  package var message: String
  package var event: WebhookEvent
  package var attempts: Int
  /// What came of the last try.
  package var code: String
  package var at: Date
  /// Whether it is to be sent once more.
  package var isDue: Bool

  package init(
    webhook: String, message: String, event: WebhookEvent, attempts: Int, code: String, at: Date, isDue: Bool = false
  ) {
    self.webhook = webhook
    self.message = message
    self.event = event
    self.attempts = attempts
    self.code = code
    self.at = at
    self.isDue = isDue
  }
}
