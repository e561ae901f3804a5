/// In what form a document is given: what the command line calls it, and what HTTP does. Its name says which it is.
package struct DocumentFormat: Sendable {
  /// As `-o` takes it.
  package let name: String
  /// What it is sent as comes first; the others are older names, which only who asks by name gets.
  package let mediaTypes: [String]

  package static let json = DocumentFormat(name: "json", mediaTypes: ["application/json"])
  package static let yaml = DocumentFormat(
    name: "yaml", mediaTypes: ["application/yaml", "text/yaml", "application/x-yaml"])
  /// One JSON document a line.
  package static let ndjson = DocumentFormat(name: "ndjson", mediaTypes: ["application/x-ndjson"])
  package static let csv = DocumentFormat(name: "csv", mediaTypes: ["text/csv"])
  /// For a person at a terminal.
  package static let table = DocumentFormat(name: "table", mediaTypes: ["text/plain"])

  /// The value of `Content-Type`.
  package let contentType: String

  package init(name: String, mediaTypes: [String]) {
    self.name = name
    self.mediaTypes = mediaTypes
    contentType = mediaTypes[0].hasPrefix("text/") ? "\(mediaTypes[0]); charset=utf-8" : mediaTypes[0]
  }
}

extension DocumentFormat: Hashable {
  package static func == (a: DocumentFormat, b: DocumentFormat) -> Bool { a.name == b.name }

  package func hash(into hasher: inout Hasher) { hasher.combine(name) }
}
