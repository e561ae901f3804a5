import Foundation
import ParvaHTTP

/// By which a replica knows that a request comes from another one, and for whom: HMAC with a secret that all replicas share.
///
/// A sealed request may say whose certificate its sender has seen; without a seal nobody is believed that.
package struct PeerSeal: Sendable {
  /// Where the replica that passes a request on is reached.
  package static let by = "Parva-Forwarded-By"
  /// Id, seconds since 1970 and signature, with spaces between them.
  static let field = "Parva-Peer"
  /// Subject and URIs of the client's certificate, each as base64, with spaces between them.
  static let identity = "Parva-Peer-Identity"
  /// How many commits the leader's store held when it answered.
  static let position = "Parva-Position"
  static let fields = [by, field, identity, position]

  private let signature: WebhookSignature
  private let now: @Sendable () -> Int

  /// - Parameter secret: base64 of 24 to 64 bytes, with or without `whsec_`; nil for anything else.
  package init?(secret: String, now: @escaping @Sendable () -> Int = { Int(Date().timeIntervalSince1970) }) {
    guard let signature = WebhookSignature(secret: secret) else { return nil }
    (self.signature, self.now) = (signature, now)
  }

  /// Puts the seal to what a replica sends; `request` is what the leader will read.
  func seal(_ headers: inout HTTPHeaders, of request: HTTPRequest) {
    let body = Self.text(request.method, request.path, request.query, headers[Self.by], headers[Self.identity])
    let id = UUID().uuidString.lowercased()
    let signed = signature.headers(id: id, timestamp: now(), body: body)
    headers[Self.field] = signed.map(\.value).joined(separator: " ")
  }

  /// Whether the seal of a request is right and new enough.
  func isRight(_ request: HTTPRequest) -> Bool {
    let parts = (request.headers[Self.field] ?? "").split(separator: " ").map(String.init)
    guard parts.count == 3 else { return false }
    let headers: HTTPHeaders = [
      "webhook-id": parts[0], "webhook-timestamp": parts[1], "webhook-signature": parts[2],
    ]
    let body = Self.text(
      request.method, request.path, request.query, request.headers[Self.by], request.headers[Self.identity])
    return (try? signature.verify(headers: headers, body: body, now: now())) != nil
  }

  /// Every part with its length before it, so that no two requests have one text.
  private static func text(
    _ method: String, _ path: String, _ query: [(name: String, value: String)], _ by: String?, _ identity: String?
  ) -> Data {
    var data = Data()
    for part in [method, path, by ?? "", identity ?? ""] + query.flatMap({ [$0.name, $0.value] }) {
      data += Data("\(part.utf8.count):\(part)\n".utf8)
    }
    return data
  }

  // MARK: - Whose certificate

  static func identity(_ subject: String?, _ uris: [String]) -> String? {
    subject.map { ([$0] + uris).map { Data($0.utf8).base64EncodedString() }.joined(separator: " ") }
  }

  /// Nil for nobody, and for what no replica writes.
  static func identity(_ text: String?) -> (subject: String, uris: [String])? {
    let parts = (text ?? "").split(separator: " ").compactMap { Data(base64Encoded: String($0)) }
    guard let subject = parts.first else { return nil }
    return (String(decoding: subject, as: UTF8.self), parts.dropFirst().map { String(decoding: $0, as: UTF8.self) })
  }
}
