import Foundation
import Synchronization

/// Something that takes time and belongs to a trace. It is told of once, when it ends.
package struct Span: Sendable {
  /// As OTLP numbers them.
  package enum Kind: Int, Sendable {
    case `internal` = 1
    case server = 2
    case client = 3
  }

  package let context: SpanContext
  let parent: SpanContext?
  let links: [SpanContext]
  let name: String
  let kind: Kind
  /// Nanoseconds since 1970, and the clock by which its length is measured.
  let start: UInt64
  let began: ContinuousClock.Instant

  init(_ name: String, _ kind: Kind, below parent: SpanContext?, links: [SpanContext]) {
    context = .begun(below: parent)
    (self.parent, self.name, self.kind) = (parent, name, kind)
    self.links = links.filter { $0 != parent }
    start = UInt64(max(0, Date().timeIntervalSince1970) * 1e9)
    began = .now
  }

  /// Value of an attribute.
  package enum Value: Hashable, Sendable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
    case text(String)
    case number(Int)

    package init(stringLiteral value: String) { self = .text(value) }
    package init(integerLiteral value: Int) { self = .number(value) }
  }

  /// A span that is over.
  struct Ended: Sendable {
    let span: Span
    let end: UInt64
    let attributes: [(name: String, value: Value)]
    /// What went wrong; nil where nothing did.
    let error: String?

    init(_ span: Span, _ attributes: [(name: String, value: Value)], error: String?) {
      self.span = span
      end = span.start + UInt64(max(0, span.began.duration(to: .now) / .nanoseconds(1)))
      (self.attributes, self.error) = (attributes, error)
    }
  }
}
