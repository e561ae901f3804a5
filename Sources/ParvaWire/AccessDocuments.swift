/// What is asked of a new token: the body of `POST /v1/tokens`.
package struct TokenSpec: Decodable, Hashable, Sendable {
  package var name: String?
  package var role: String
  package var node: String?
  /// The one namespace that it is for.
  package var namespace: String?
  /// How long it lasts, for example `30d`.
  package var ttl: String?

  package init(from decoder: any Decoder) throws {
    let object = try decoder.object("name", "role", "node", "namespace", "ttl")
    name = try object.decodeIfPresent(String.self, forKey: "name")
    role = try object.decode(String.self, forKey: "role")
    node = try object.decodeIfPresent(String.self, forKey: "node")
    namespace = try object.decodeIfPresent(String.self, forKey: "namespace")
    ttl = try object.decodeIfPresent(String.self, forKey: "ttl")
  }
}

/// A token as `/v1/tokens` tells it; what is null is left out.
package struct TokenDocument: Encodable, Sendable {
  package var id: String
  package var name: String
  package var role: String
  package var node: String?
  package var namespace: String?
  package var createdAt: String
  package var createdBy: String
  package var expiresAt: String?
  package var lastUsedAt: String?
  /// The token itself, in the answer that made it.
  package var token: String?

  package init(
    id: String, name: String, role: String, node: String?, namespace: String? = nil, createdAt: String,
    createdBy: String, expiresAt: String?,
    lastUsedAt: String?, token: String? = nil
  ) {
    self.id = id
    self.name = name
    self.role = role
    self.node = node
    self.namespace = namespace
    self.createdAt = createdAt
    self.createdBy = createdBy
    self.expiresAt = expiresAt
    self.lastUsedAt = lastUsedAt
    self.token = token
  }
}

/// Who asks, and what the asker may: the answer of `/v1/whoami`.
package struct CallerDocument: Encodable, Sendable {
  package var id: String
  package var name: String
  package var role: String
  package var node: String?
  package var namespace: String?
  package var expiresAt: String?
  package var may: [String]

  package init(
    id: String, name: String, role: String, node: String?, namespace: String? = nil, expiresAt: String?, may: [String]
  ) {
    self.id = id
    self.name = name
    self.role = role
    self.node = node
    self.namespace = namespace
    self.expiresAt = expiresAt
    self.may = may
  }
}

/// One row of the audit, as `/v1/audit` tells it; what is null is left out.
package struct AuditDocument: Encodable, Sendable {
  package var number: Int
  package var time: String
  package var who: String
  package var name: String
  package var method: String
  package var path: String
  package var resource: String
  package var requestId: String
  package var status: Int
  package var before: String?
  package var after: String?
  package var changed: Bool

  package init(
    number: Int, time: String, who: String, name: String, method: String, path: String, resource: String,
    requestId: String, status: Int, before: String?, after: String?, changed: Bool
  ) {
    self.number = number
    self.time = time
    self.who = who
    self.name = name
    self.method = method
    self.path = path
    self.resource = resource
    self.requestId = requestId
    self.status = status
    self.before = before
    self.after = after
    self.changed = changed
  }
}
