package import ParvaFormats
package import ParvaHTTP

extension ProblemDetails {
  /// What is wrong with a body: 413 for too much of it, 400 for what is no document or an empty one, 422 for what a document says.
  package init(_ errors: InputErrors) {
    let first = errors.first
    let status =
      switch first.code {
      case .tooLarge: 413
      case .invalidSyntax, .notUTF8, .unreadable: 400
      // Of a part of the document, in which the rest may stand.
      case .empty: first.pointer?.isEmpty ?? true ? 400 : 422
      default: 422
      }
    let others = errors.errors.count + errors.omitted - 1
    var detail = first.line.map { "Line \($0): \(first.message)" } ?? first.message
    if others > 0 {
      let more = errors.errors.dropFirst().prefix(4).map { $0.description }.joined(separator: "; ")
      let end = errors.isCut ? ", at which reading ended" : ""
      detail += " (and \(others) more\(end): \(more)\(others > 4 ? "; …" : ""))"
    }
    self.init(status: status, code: first.code.rawValue, detail: detail, pointer: first.pointer)
    guard others > 0 || first.line != nil else { return }
    self.errors = errors.errors.prefix(Self.mostErrors).map {
      Fault(code: $0.code.rawValue, detail: $0.message, pointer: $0.pointer, line: $0.line)
    }
    errorCount = others + 1
  }
}
