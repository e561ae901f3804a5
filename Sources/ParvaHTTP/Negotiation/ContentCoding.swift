import Foundation

/// gzip of responses for clients that accept it (RFC 9110, sections 8.4 and 12.5.3).
///
/// A compressed representation has a tag of its own, the plain one's with a mark in it. The mark is taken off when a
/// client sends the tag back, so that handlers know plain tags only.
enum ContentCoding {
  /// Less fits in one packet as it is.
  static let leastBytes = 1_400
  /// What an event loop may compress by itself, about half a millisecond; more goes to the worker pool.
  static let mostBytesOnLoop = 16 << 10
  private static let mark = "-gzip\""

  /// Whether a response is one of those whose coding depends on `Accept-Encoding`.
  static func varies(_ response: HTTPResponse) -> Bool {
    guard response.body.count >= leastBytes, response.stream == nil, response.headers["Content-Encoding"] == nil,
      let type = response.headers["Content-Type"]
    else { return false }
    return isText(type)
  }

  /// Whether making the response ready for this request would keep an event loop busy for too long.
  static func isHeavy(_ response: HTTPResponse, for request: HTTPRequest) -> Bool {
    guard response.body.count > mostBytesOnLoop, varies(response), accepts(request) else { return false }
    return response.cached?.isCompressed != true
  }

  /// Compresses the body where it is worth it and accepted; says in any case what the choice depended on.
  static func apply(to response: inout HTTPResponse, for request: HTTPRequest) {
    if response.status == 304 {
      if let tag = response.headers["ETag"], let field = request.headers["If-None-Match"], field.contains(marked(tag)) {
        response.headers["ETag"] = marked(tag)
      }
      return
    }
    guard varies(response) else { return }
    nameCoding(in: &response)
    guard accepts(request), let compressed = response.cached.map({ $0.compressed }) ?? Gzip.compress(response.body)
    else { return }
    response.body = compressed
    response.headers["Content-Encoding"] = "gzip"
    if let tag = response.headers["ETag"] { response.headers["ETag"] = marked(tag) }
  }

  /// Says that the choice of a representation depended on `Accept-Encoding`, too.
  static func nameCoding(in response: inout HTTPResponse) {
    guard let vary = response.headers["Vary"] else { return response.headers.add("Vary", "Accept-Encoding") }
    if !vary.hasSuffix("Accept-Encoding") { response.headers["Vary"] = "\(vary), Accept-Encoding" }
  }

  /// Whether gzip is at least as welcome as the plain bytes.
  static func accepts(_ request: HTTPRequest) -> Bool {
    guard let field = request.headers["Accept-Encoding"] else { return false }
    var gzip: Double?
    var identity: Double?
    var others: Double?
    for element in field.split(separator: ",") {
      let parts = element.split(separator: ";").map { $0.trimmedBlanks.lowercased() }
      let weight = parts.dropFirst().first { $0.hasPrefix("q=") }
      let quality = weight.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
      switch parts.first {
      case "gzip", "x-gzip": gzip = max(gzip ?? 0, quality)
      case "identity": identity = quality
      case "*": others = quality
      default: break
      }
    }
    guard let wanted = gzip ?? others, wanted > 0 else { return false }
    return wanted >= identity ?? 0
  }

  static func removeMark(from tag: String) -> String { tag.hasSuffix(mark) ? tag.dropLast(mark.count) + "\"" : tag }

  private static func marked(_ tag: String) -> String { tag.hasSuffix("\"") ? tag.dropLast() + mark : tag }

  private static func isText(_ type: String) -> Bool {
    let type = type.utf8.prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") }
    if type.elementsEqual("application/json".utf8) { return true }
    if type.starts(with: "text/".utf8) { return !type.elementsEqual("text/event-stream".utf8) }
    return type.suffix(4).elementsEqual("json".utf8) || type.suffix(4).elementsEqual("yaml".utf8)
  }
}
