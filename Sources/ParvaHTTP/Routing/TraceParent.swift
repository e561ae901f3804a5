/// The `traceparent` field of W3C Trace Context, version 00.
struct TraceParent: Sendable, Hashable {
  /// The whole field, `00-<32 hex>-<16 hex>-<2 hex>`.
  let text: String

  /// The 32 digits that every request of one trace shares.
  var traceID: Substring { text.dropFirst(3).prefix(32) }

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
  var traceParent: TraceParent? { headers["traceparent"].flatMap(TraceParent.init) }

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
