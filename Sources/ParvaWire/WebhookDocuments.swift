/// What is asked of a subscriber: the body of `POST /v1/webhooks` and `PUT /v1/webhooks/{id}`.
package struct WebhookSpec: Decodable, Hashable, Sendable {
  package var name: String?
  package var url: String
  /// Types of events; nil: all.
  package var types: [String]?
  package var labelSelector: String?
  package var enabled: Bool?
  package var retrySeconds: Int?

  package init(from decoder: any Decoder) throws {
    let object = try decoder.object("name", "url", "types", "labelSelector", "enabled", "retrySeconds")
    name = try object.decodeIfPresent(String.self, forKey: "name")
    url = try object.decode(String.self, forKey: "url")
    types = try object.decodeIfPresent([String].self, forKey: "types")
    labelSelector = try object.decodeIfPresent(String.self, forKey: "labelSelector")
    enabled = try object.decodeIfPresent(Bool.self, forKey: "enabled")
    retrySeconds = try object.decodeIfPresent(Int.self, forKey: "retrySeconds")
  }
}

/// For how long the secret before signs too: the body of `POST /v1/webhooks/{id}/rotate-secret`.
package struct SecretRotationSpec: Decodable, Hashable, Sendable {
  package var overlapSeconds: Int?

  package init(from decoder: any Decoder) throws {
    overlapSeconds = try decoder.object("overlapSeconds").decodeIfPresent(Int.self, forKey: "overlapSeconds")
  }
}

/// Which messages are sent once more: the body of `POST /v1/webhooks/{id}/replay`.
package struct ReplaySpec: Decodable, Hashable, Sendable {
  package var numbers: [Int]?

  package init(from decoder: any Decoder) throws {
    numbers = try decoder.object("numbers").decodeIfPresent([Int].self, forKey: "numbers")
  }
}

/// A subscriber as `/v1/webhooks` tells of it; what is null is left out.
package struct WebhookDocument: Encodable, Sendable {
  package struct Status: Encodable, Sendable {
    /// `active`, `failing`, `gone` or `disabled`.
    package var state: String
    package var failures: Int
    package var failingSince: String?
    package var nextTryAt: String?
    package var lastDeliveredAt: String?
    package var waiting: Int
    package var oldestWaitingAt: String?
    /// Until when the secret before signs too.
    package var olderSecretUntil: String?

    package init(state: String, failures: Int, waiting: Int) {
      (self.state, self.failures, self.waiting) = (state, failures, waiting)
    }
  }

  package var id: String
  package var name: String
  package var url: String
  package var types: [String]
  package var labelSelector: String?
  package var enabled: Bool
  package var retrySeconds: Int
  package var revision: Int
  package var createdAt: String
  package var updatedAt: String
  package var createdBy: String
  package var status: Status
  /// What messages are signed with, in the answer that made it.
  package var secret: String?

  package init(
    id: String, name: String, url: String, types: [String], labelSelector: String?, enabled: Bool, retrySeconds: Int,
    revision: Int, createdAt: String, updatedAt: String, createdBy: String, status: Status, secret: String? = nil
  ) {
    (self.id, self.name, self.url, self.types, self.labelSelector) = (id, name, url, types, labelSelector)
    (self.enabled, self.retrySeconds, self.revision) = (enabled, retrySeconds, revision)
    (self.createdAt, self.updatedAt, self.createdBy) = (createdAt, updatedAt, createdBy)
    (self.status, self.secret) = (status, secret)
  }
}

/// One try of a message.
package struct WebhookTryDocument: Encodable, Sendable {
  package var message: String
  package var type: String
  package var at: String
  package var durationSeconds: Double
  package var attempt: Int
  package var delivered: Bool
  package var code: String
  package var status: Int?
  package var detail: String?

  package init(
    message: String, type: String, at: String, durationSeconds: Double, attempt: Int, delivered: Bool, code: String,
    status: Int?, detail: String?
  ) {
    (self.message, self.type, self.at, self.durationSeconds) = (message, type, at, durationSeconds)
    (self.attempt, self.delivered, self.code, self.status) = (attempt, delivered, code, status)
    self.detail = detail
  }
}
