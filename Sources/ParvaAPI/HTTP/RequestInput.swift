import Foundation
import ParvaControl
import ParvaEngine
import ParvaFormats
import ParvaHTTP

extension HTTPRequest {
  /// A share as a query parameter, 0...1; nil where it is not given.
  func share(_ name: String) throws(ProblemDetails) -> Double? {
    guard let text = queryValue(name) else { return nil }
    guard text.allSatisfy({ $0.isNumber || $0 == "." }), let share = Double(text), (0...1).contains(share) else {
      throw ProblemDetails.parameter(name, "must be a number from 0 to 1")
    }
    return share
  }

  /// For what is given as JSON alone.
  ///
  /// - Throws: 406 `not_acceptable`.
  func acceptsJSON() throws(ProblemDetails) { _ = try preferred([.json]) }

  /// The format that `Accept` likes best, the first without one.
  ///
  /// - Throws: 406 `not_acceptable`.
  func preferred(_ formats: [DocumentFormat]) throws(ProblemDetails) -> DocumentFormat {
    try preferred(formats.map { ($0, $0.mediaTypes) })
  }

  /// The claim of `Idempotency-Key`, nil without one.
  ///
  /// - Throws: 400 `invalid_idempotency_key`.
  func idempotencyClaim() throws(ProblemDetails) -> IdempotencyClaim? {
    guard let key = headers["Idempotency-Key"] else { return nil }
    guard (1...255).contains(key.utf8.count), key.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
      throw ProblemDetails(
        status: 400, code: "invalid_idempotency_key",
        detail: "Idempotency-Key must be 1 to 255 visible ASCII characters without spaces.")
    }
    var fingerprint = StableHash()
    fingerprint.add("\(method) \(path)\n".utf8)
    for (name, value) in query { fingerprint.add("\(name)=\(value)\n".utf8) }
    body.withUnsafeBytes { fingerprint.add($0) }
    // No key of a client holds a space: what is one's own in a namespace is nobody's elsewhere.
    return IdempotencyClaim(key: space.name.map { "\($0) \(key)" } ?? key, fingerprint: fingerprint.value)
  }

  /// Whether the client asks for no representation in the answer (RFC 7240, section 4.2).
  var prefersMinimal: Bool {
    headers["Prefer"]?.lowercased().split(whereSeparator: { $0 == "," || $0 == " " }).contains("return=minimal") == true
  }
}
