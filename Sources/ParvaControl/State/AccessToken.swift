package import Foundation
package import ParvaHTTP

/// A bearer token as it is kept: all but the token itself.
package struct AccessToken: Sendable {
  package var id: String
  /// For people and logs; several tokens may have one name.
  package var name: String
  package var role: AccessRole
  /// The node that it speaks for, with the role `node`.
  package var node: String?
  /// The one namespace that it is for; nil: for all that its role allows.
  package var namespace: String?
  package var digest: SecretDigest
  package var createdAt: Date
  /// Id of the caller who made it.
  package var createdBy: String
  /// Nil: it ends when it is revoked.
  package var expiresAt: Date?
  /// When it was used last, to the minute.
  package var lastUsedAt: Date?

  package init(
    id: String, name: String, role: AccessRole, node: String? = nil, namespace: String? = nil, digest: SecretDigest,
    createdAt: Date, createdBy: String, expiresAt: Date? = nil, lastUsedAt: Date? = nil
  ) {
    self.id = id
    self.name = name
    self.role = role
    self.node = node
    self.namespace = namespace
    self.digest = digest
    self.createdAt = createdAt
    self.createdBy = createdBy
    self.expiresAt = expiresAt
    self.lastUsedAt = lastUsedAt
  }
}
