import CCodec
package import Foundation

/// Standard Webhooks signatures: the headers `webhook-id`, `webhook-timestamp` and `webhook-signature`, the last with
/// one or more `v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`, separated by spaces.
package struct WebhookSignature: Sendable {
  /// Why a message is not accepted; none says more than an attacker may know.
  package enum Refusal: String, Error, Sendable {
    case headersMissing = "webhook_headers_missing"
    case timestampInvalid = "webhook_timestamp_invalid"
    /// Too old or too far ahead: it may be a replay, or a clock is wrong.
    case timestampOutsideWindow = "webhook_timestamp_outside_window"
    case signatureMismatch = "webhook_signature_mismatch"
  }

  /// Seconds that a message's clock may differ from ours, either way.
  package static let window = 300

  private let key: [UInt8]

  /// A secret is `whsec_` and base64, or base64 alone, of 24 to 64 bytes; nil for anything else.
  package init?(secret: String) {
    let encoded = secret.hasPrefix("whsec_") ? String(secret.dropFirst(6)) : secret
    guard let key = Data(base64Encoded: encoded), (24...64).contains(key.count) else { return nil }
    self.key = Array(key)
  }

  /// The three headers for a message. `timestamp` is in seconds since 1970.
  package func headers(id: String, timestamp: Int, body: Data) -> [(name: String, value: String)] {
    [
      ("webhook-id", id), ("webhook-timestamp", String(timestamp)),
      ("webhook-signature", "v1," + Data(digest(id: id, timestamp: timestamp, body: body)).base64EncodedString()),
    ]
  }

  /// The three headers for a message that several secrets sign, so that one can take the place of another.
  package static func headers(
    id: String, timestamp: Int, body: Data, by signers: [WebhookSignature]
  ) -> [(name: String, value: String)] {
    let all = signers.map { $0.headers(id: id, timestamp: timestamp, body: body) }
    guard var headers = all.first else { return [] }
    headers[2].value = all.map { $0[2].value }.joined(separator: " ")
    return headers
  }

  /// Accepts a message whose signature is right and whose time is near `now`, in seconds since 1970; answers its id.
  ///
  /// Within the window the same message may come twice: the receiver has to be idempotent.
  package func verify(headers: HTTPHeaders, body: Data, now: Int) throws(Refusal) -> String {
    guard let id = headers["webhook-id"], !id.isEmpty, let stamp = headers["webhook-timestamp"],
      let signatures = headers["webhook-signature"]
    else { throw .headersMissing }
    guard let timestamp = Int(stamp), timestamp >= 0 else { throw .timestampInvalid }
    guard abs(now - timestamp) <= Self.window else { throw .timestampOutsideWindow }
    let expected = digest(id: id, timestamp: timestamp, body: body)
    let accepted = signatures.split(separator: " ").contains { signature in
      guard signature.hasPrefix("v1,"), let given = Data(base64Encoded: String(signature.dropFirst(3))) else {
        return false
      }
      return Self.equal(Array(given), expected)
    }
    if !accepted { throw .signatureMismatch }
    return id
  }

  private func digest(id: String, timestamp: Int, body: Data) -> [UInt8] {
    let message = Array("\(id).\(timestamp).".utf8) + body
    var digest = [UInt8](repeating: 0, count: Int(CCD_HMAC_SHA256_SIZE))
    // An empty digest equals no signature, so a failing library accepts nothing.
    return ccd_hmac_sha256(key, key.count, message, message.count, &digest) ? digest : []
  }

  private static func equal(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    a.count == b.count && !a.isEmpty && ccd_equal(a, b, a.count)
  }
}
