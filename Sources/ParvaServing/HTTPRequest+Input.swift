import Foundation
package import ParvaFormats
package import ParvaHTTP

extension HTTPRequest {
  /// The body with its format by `Content-Type`; where that says nothing, by its first bytes.
  ///
  /// `curl -d` sends a form's type whatever the body is, so that type says nothing.
  /// - Throws: 415 `unsupported_media_type`, 400 `body_missing`.
  package func input(_ allowed: [InputFormat] = [.json, .yaml]) throws(ProblemDetails) -> InputSource {
    guard !body.isEmpty else {
      throw ProblemDetails(status: 400, code: "body_missing", detail: "The request needs a body.")
    }
    let type = mediaType
    if ["", "application/x-www-form-urlencoded", "application/octet-stream", "text/plain"].contains(type) {
      let source = InputSource(body)
      return allowed.contains(source.format) ? source : InputSource(body, format: .json)
    }
    let format: InputFormat? =
      switch type {
      case "application/json", "text/json": .json
      case "application/yaml", "text/yaml", "application/x-yaml", "text/x-yaml": .yaml
      case "text/csv": .csv
      case "application/x-ndjson", "application/ndjson", "application/jsonl": .ndjson
      default: nil
      }
    guard let format, allowed.contains(format) else {
      let names = allowed.map(\.mediaType).joined(separator: ", ")
      throw ProblemDetails(
        status: 415, code: "unsupported_media_type",
        detail: "A body of type \(type) is not understood here; send \(names).", headers: ["Accept": names])
    }
    return InputSource(body, format: format)
  }

  /// Type and subtype of the body without parameters, lower case; empty where none is given.
  package var mediaType: String {
    let type = headers["Content-Type"] ?? ""
    if type == "application/json" { return type }
    return type.prefix { $0 != ";" }.trimmingCharacters(in: .whitespaces).lowercased()
  }
}

extension InputFormat {
  fileprivate var mediaType: String {
    switch self {
    case .json, .yaml: "application/\(rawValue)"
    case .csv: "text/csv"
    case .ndjson: "application/x-ndjson"
    }
  }
}
