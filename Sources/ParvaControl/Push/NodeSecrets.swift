import Foundation
package import ParvaHTTP

/// Finds what messages to a node are signed with.
package struct NodeSecrets: Sendable {
  /// For nodes that were registered without a secret of their own.
  package var shared: NodeSecret?
  /// Folder whose files registrations may name; nil where references are not allowed.
  package var folder: String?

  package init(shared: NodeSecret? = nil, folder: String? = nil) {
    self.shared = shared
    self.folder = folder
  }

  package enum Failure: Error, Hashable, Sendable {
    case unreadable(reference: String)
    case malformed
  }

  /// The signature of a node; nil where it has no secret, and messages go out unsigned.
  ///
  /// A file is read each time, so that a new secret needs no restart.
  package func signature(of node: NodeRecord) throws(Failure) -> WebhookSignature? {
    var secret = node.secret ?? shared
    if let reference = node.secretReference {
      // The reference is DNS labels: it cannot lead out of the folder.
      guard let folder, let text = try? String(contentsOfFile: folder + "/" + reference, encoding: .utf8),
        let line = text.split(whereSeparator: \.isNewline).first(where: { !$0.hasPrefix("#") })
      else { throw .unreadable(reference: reference) }
      secret = NodeSecret(line.trimmingCharacters(in: .whitespaces))
    }
    guard let secret else { return nil }
    guard let signature = WebhookSignature(secret: secret.value) else { throw .malformed }
    return signature
  }
}
