/// One entity tag of a conditional field (RFC 9110, section 8.8.3).
package struct HTTPEntityTag: Sendable, Hashable {
  package var isWeak: Bool
  /// With its quotes, without the mark of a content coding.
  package var text: String
}

extension HTTPRequest {
  /// Whether `If-None-Match` of a read names this tag; the comparison is weak (RFC 9110, section 13.1.2).
  package func isFresh(_ tag: String) -> Bool {
    guard let field = headers["If-None-Match"] else { return false }
    return Self.isAny(field) || Self.entityTags(in: field).contains { $0.text == tag }
  }

  /// The answer to a read, or 304 in its place where the client has it already: by its tag, or as `isKnown` says.
  ///
  /// What a cache goes by stays: the tag and what the choice of a representation depended on (RFC 9110, section 15.4.5).
  package func unlessFresh(_ response: HTTPResponse, isKnown: Bool = false) -> HTTPResponse {
    guard isKnown || response.headers["ETag"].map(isFresh) == true else { return response }
    var answer = HTTPResponse(status: 304, headers: response.headers)
    if ContentCoding.varies(response) { ContentCoding.nameCoding(in: &answer) }
    answer.headers["Content-Type"] = nil
    return answer
  }

  /// Whether a field holds `*`, which stands for whatever is there.
  package static func isAny(_ field: String) -> Bool { Substring(field).trimmedBlanks == "*" }

  /// The tags of `If-Match` or `If-None-Match`; what follows a malformed one is passed over, so that it matches nothing.
  package static func entityTags(in field: String) -> [HTTPEntityTag] {
    var tags: [HTTPEntityTag] = []
    var rest = Substring(field).trimmedBlanks
    while !rest.isEmpty {
      let isWeak = rest.hasPrefix("W/")
      if isWeak { rest.removeFirst(2) }
      guard rest.first == "\"", let end = rest.dropFirst().firstIndex(of: "\"") else { return tags }
      tags.append(HTTPEntityTag(isWeak: isWeak, text: ContentCoding.removeMark(from: String(rest[...end]))))
      rest = rest[rest.index(after: end)...].trimmedBlanks
      guard rest.first == "," else { return tags }
      while rest.first == "," { rest = rest.dropFirst().trimmedBlanks }
    }
    return tags
  }
}

extension Substring {
  /// Without the spaces and tabs at either end (RFC 9110, section 5.6.3).
  var trimmedBlanks: Substring {
    var text = self
    while text.first == " " || text.first == "\t" { text.removeFirst() }
    while text.last == " " || text.last == "\t" { text.removeLast() }
    return text
  }
}
