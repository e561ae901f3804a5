/// The `traceparent` field of W3C Trace Context, version 00.
package struct TraceParent: Sendable, Hashable {
  /// The whole field, `00-<32 hex>-<16 hex>-<2 hex>`.
  package let text: String

  /// The 32 digits that every request of one trace shares.
  package var traceID: Substring { text.dropFirst(3).prefix(32) }

  /// The caller's span, 16 digits.
  package var spanID: Substring { text.dropFirst(36).prefix(16) }

  /// Whether the caller records the trace.
  package var isSampled: Bool { text.utf8.last.map { "13579bdf".utf8.contains($0) } ?? false }

  /// Nil where the field is not as the recommendation's section 3.2 demands: lower-case hex, ids not all zero.
  init?(_ text: String) {
    let parts = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
    guard parts.count == 4, parts.map(\.count) == [2, 32, 16, 2], parts[0].elementsEqual("00".utf8),
      parts.allSatisfy({ $0.allSatisfy(Self.isLowerHex) }),
      parts[1].contains(where: { $0 != UInt8(ascii: "0") }), parts[2].contains(where: { $0 != UInt8(ascii: "0") })
    else { return nil }
    self.text = text
  }

  private static func isLowerHex(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
  }
}

extension HTTPRequest {
  /// The caller's trace, where it sent a valid one.
  package var traceParent: TraceParent? { headers["traceparent"].flatMap(TraceParent.init) }

  /// Settles the request's id: the caller's `X-Request-Id` where it is harmless to repeat in logs, else a fresh one.
  mutating func identify() {
    if let given = headers["X-Request-Id"], (1...128).contains(given.utf8.count),
      given.utf8.allSatisfy(RequestID.isHarmless)
    {
      requestID = given
    } else if requestID.isEmpty {
      requestID = RequestID.next()
    }
  }
}
