import Foundation

/// Spans as OTLP writes them in JSON: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding.
struct OTLPDocument: Encodable {
  private struct Attribute: Encodable {
    struct Value: Encodable {
      var stringValue: String?
      /// 64-bit numbers are text there.
      var intValue: String?
    }

    var key: String
    var value: Value

    init(_ key: String, _ value: Span.Value) {
      self.key = key
      switch value {
      case .text(let text): self.value = Value(stringValue: text)
      case .number(let number): self.value = Value(intValue: String(number))
      }
    }
  }

  private struct Link: Encodable {
    var traceId: String
    var spanId: String
  }

  private struct Status: Encodable {
    /// 0 says nothing, 2 is an error.
    var code: Int
    var message: String?
  }

  private struct OneSpan: Encodable {
    var traceId: String
    var spanId: String
    var parentSpanId: String?
    var name: String
    var kind: Int
    var startTimeUnixNano: String
    var endTimeUnixNano: String
    var attributes: [Attribute]
    var links: [Link]
    var status: Status
  }

  private struct ScopeSpans: Encodable {
    struct Scope: Encodable {
      var name = "parva"
      var version = Version.current
    }

    var scope = Scope()
    var spans: [OneSpan]
  }

  private struct ResourceSpans: Encodable {
    struct Resource: Encodable {
      var attributes: [Attribute]
    }

    var resource: Resource
    var scopeSpans: [ScopeSpans]
  }

  private var resourceSpans: [ResourceSpans]

  init(_ spans: [Span.Ended], resource: [(name: String, value: String)]) {
    let list = spans.map { ended in
      OneSpan(
        traceId: ended.span.context.traceID, spanId: ended.span.context.spanID,
        parentSpanId: ended.span.parent?.spanID, name: ended.span.name, kind: ended.span.kind.rawValue,
        startTimeUnixNano: String(ended.span.start), endTimeUnixNano: String(ended.end),
        attributes: ended.attributes.map { Attribute($0.name, $0.value) },
        links: ended.span.links.map { Link(traceId: $0.traceID, spanId: $0.spanID) },
        status: ended.error.map { Status(code: 2, message: $0) } ?? Status(code: 0))
    }
    resourceSpans = [
      ResourceSpans(
        resource: ResourceSpans.Resource(attributes: resource.map { Attribute($0.name, .text($0.value)) }),
        scopeSpans: [ScopeSpans(spans: list)])
    ]
  }

  var data: Data {
    get throws {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.withoutEscapingSlashes]
      return try encoder.encode(self)
    }
  }
}
