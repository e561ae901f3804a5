package import ParvaHTTP

/// Which span something belongs to, as W3C Trace Context names it.
package struct SpanContext: Hashable, Sendable {
  /// 32 digits that all spans of one trace share.
  package let traceID: String
  /// 16 digits.
  package let spanID: String
  /// Whether whoever began the trace records it; what it has called does then, too.
  package let isSampled: Bool

  init(traceID: String, spanID: String, isSampled: Bool = true) {
    (self.traceID, self.spanID, self.isSampled) = (traceID, spanID, isSampled)
  }

  /// What a caller has sent.
  package init(_ parent: TraceParent) {
    self.init(traceID: String(parent.traceID), spanID: String(parent.spanID), isSampled: parent.isSampled)
  }

  /// A new trace where there is no parent, else a span of the parent's.
  static func begun(below parent: SpanContext?) -> SpanContext {
    SpanContext(traceID: parent?.traceID ?? digits(2), spanID: digits(1))
  }

  /// The field that tells another process of it.
  package var traceparent: String { "00-\(traceID)-\(spanID)-\(isSampled ? "01" : "00")" }

  /// So many times 16 random digits, not all of them zero.
  private static func digits(_ count: Int) -> String {
    (0..<count).map { _ in
      let digits = String(UInt64.random(in: 1...UInt64.max), radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }
}
