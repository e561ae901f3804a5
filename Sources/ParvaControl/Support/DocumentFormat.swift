/// In what form a document is given.
package enum DocumentFormat: String, Hashable, Sendable, CaseIterable {
  case json, yaml, csv
  /// A picture for a terminal.
  case text

  package var mediaType: String {
    switch self {
    case .json: "application/json"
    case .yaml: "application/yaml"
    case .csv: "text/csv; charset=utf-8"
    case .text: "text/plain; charset=utf-8"
    }
  }
}
