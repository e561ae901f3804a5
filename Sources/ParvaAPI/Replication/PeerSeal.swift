import Foundation
import ParvaControl
import ParvaHTTP
import Synchronization

/// By which the replica that leads knows that a request comes from another one, for whom, and that it is all of what was sent,
/// to this one, in this term, and for the first time: HMAC with a secret that all replicas share.
///
/// A sealed request may say whose certificate its sender has seen; without a seal nobody is believed that.
package final class PeerSeal: Sendable {
  /// Where the replica that passes a request on is reached.
  package static let by = "Parva-Forwarded-By"
  /// Id, seconds since 1970 and signature, with spaces between them.
  static let field = "Parva-Peer"
  /// Term and address of the leader that is meant, with a space between them.
  static let target = "Parva-Peer-Target"
  /// SHA-256 of the body, in hexadecimal digits.
  static let digest = "Parva-Peer-Digest"
  /// Subject and URIs of the client's certificate, each as base64, with spaces between them.
  static let identity = "Parva-Peer-Identity"
  /// How many commits the leader's store held when it answered.
  static let position = "Parva-Position"
  static let fields = [by, field, target, digest, identity, position]

  /// Fields by which a request would be another one. What is accepted, a client adds by itself.
  private static let covered = [
    by, target, digest, identity, "Authorization", "Content-Type", "Content-Encoding", "If-Match",
    "If-None-Match", "Idempotency-Key", "Prefer",
  ]

  /// Seals that were used, each as eight bytes of its signature, in two generations: those of one are kept for twice the time in
  /// which a seal is good, on both sides of its own.
  private struct Used {
    /// More would take too much memory; then the older generation goes sooner.
    static let most = 1 << 20
    static let age = 2 * WebhookSignature.window

    var new: Set<UInt64> = []
    var old: Set<UInt64> = []
    var since = 0

    /// False for one that is there already.
    mutating func take(_ seal: UInt64, at now: Int) -> Bool {
      if now - since > Self.age || new.count >= Self.most { (old, new, since) = (new, [], now) }
      return !old.contains(seal) && new.insert(seal).inserted
    }
  }

  private let signature: WebhookSignature
  private let now: @Sendable () -> Int
  private let used = Mutex(Used())

  /// - Parameter secret: base64 of 24 to 64 bytes, with or without `whsec_`; nil for anything else.
  package init?(secret: String, now: @escaping @Sendable () -> Int = { Int(Date().timeIntervalSince1970) }) {
    guard let signature = WebhookSignature(secret: secret) else { return nil }
    (self.signature, self.now) = (signature, now)
  }

  static func target(_ leader: ReplicaStanding.Leader) -> String { "\(leader.term) \(leader.address)" }

  /// Puts the seal to what a replica sends; `request` is what the leader will read, but for its fields.
  func seal(_ headers: inout HTTPHeaders, of request: HTTPRequest, for leader: ReplicaStanding.Leader) {
    headers[Self.target] = Self.target(leader)
    headers[Self.digest] = ContentDigest.sha256(of: request.body)
    let text = Self.text(request, headers)
    let signed = signature.headers(id: UUID().uuidString.lowercased(), timestamp: now(), body: text)
    headers[Self.field] = signed.map(\.value).joined(separator: " ")
  }

  /// Whether the seal of a request is right and new enough. Its body may not have come yet: ``take(_:as:)`` judges the rest.
  func isRight(_ request: HTTPRequest) -> Bool {
    let parts = Self.parts(request)
    guard parts.count == 3 else { return false }
    let headers: HTTPHeaders = [
      "webhook-id": parts[0], "webhook-timestamp": parts[1], "webhook-signature": parts[2],
    ]
    let text = Self.text(request, request.headers)
    return (try? signature.verify(headers: headers, body: text, now: now())) != nil
  }

  /// Takes a whole request whose seal is right, once. O(bytes).
  ///
  /// - Parameter leader: what this replica is now.
  /// - Throws: 403 `peer_unverified` for another body, and for one that was taken before; 503 `not_leader` for what is meant for
  ///   another leader or term.
  func take(_ request: HTTPRequest, as leader: ReplicaStanding.Leader) throws(ProblemDetails) {
    guard request.headers[Self.target] == Self.target(leader) else {
      throw .notLeader("This replica does not lead, or not in the term that was meant.")
    }
    guard let digest = ContentDigest.sha256(of: request.body), digest == request.headers[Self.digest] else {
      throw PeerGate.unverified
    }
    let signature = Self.parts(request).last.flatMap { Data(base64Encoded: String($0.dropFirst(3))) } ?? Data()
    let seal = signature.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard used.withLock({ $0.take(seal, at: now()) }) else { throw PeerGate.unverified }
  }

  private static func parts(_ request: HTTPRequest) -> [String] {
    (request.headers[field] ?? "").split(separator: " ").map(String.init)
  }

  /// Every part with its length before it, so that no two requests have one text.
  private static func text(_ request: HTTPRequest, _ headers: HTTPHeaders) -> Data {
    var data = Data()
    let parts = [request.method, request.path] + request.query.flatMap { [$0.name, $0.value] } + [""]
    for part in parts + covered.map({ headers[$0] ?? "" }) { data += Data("\(part.utf8.count):\(part)\n".utf8) }
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
