/// Parameters as values, refused by name where they are none.
extension HTTPRequest {
  /// A whole number from the query.
  ///
  /// - Throws: 400 `invalid_parameter`.
  package func integer(_ name: String, in range: ClosedRange<Int>, default fallback: Int) throws(ProblemDetails) -> Int
  {
    try integer(name, in: range) ?? fallback
  }

  package func integer(_ name: String, in range: ClosedRange<Int>) throws(ProblemDetails) -> Int? {
    guard let text = queryValue(name) else { return nil }
    guard let value = Int(text), range.contains(value) else {
      throw .parameter(name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  /// A parameter that is `true` or `false`; false where it is not given.
  package func flag(_ name: String) throws(ProblemDetails) -> Bool {
    switch queryValue(name) {
    case nil, "false": return false
    case "true": return true
    default: throw ProblemDetails.parameter(name, "must be true or false")
    }
  }

  /// A parameter that is one of a few words; nil where it is not given.
  package func choice<Word: RawRepresentable & CaseIterable>(
    _ name: String, of _: Word.Type
  ) throws(ProblemDetails) -> Word? where Word.RawValue == String {
    guard let text = queryValue(name) else { return nil }
    guard let word = Word(rawValue: text) else {
      throw ProblemDetails.parameter(name, "must be \(Word.allCases.map(\.rawValue).joined(separator: " or "))")
    }
    return word
  }

  /// Refuses query parameters that the route does not have, since a misspelt filter must not match everything, and those
  /// that are given twice, since nobody could say which one counts.
  ///
  /// - Throws: 400 `unknown_parameter`, 400 `repeated_parameter`.
  package func allowQuery(_ names: String...) throws(ProblemDetails) { try allowQuery(names) }

  package func allowQuery(_ names: [String]) throws(ProblemDetails) {
    if let unknown = query.first(where: { !names.contains($0.name) }) {
      let allowed = names.isEmpty ? "there are none here" : "there are \(names.joined(separator: ", "))"
      throw .parameter(unknown.name, "is not a parameter of this resource; \(allowed)", code: "unknown_parameter")
    }
    guard query.count > 1 else { return }
    var seen: Set<String> = []
    if let repeated = query.first(where: { !seen.insert($0.name).inserted }) {
      throw .parameter(repeated.name, "is given more than once", code: "repeated_parameter")
    }
  }
}
