import Foundation
import ParvaHTTP

/// Reads responses off a raw connection, one after the other, strictly.
struct RawResponseReader {
  let client: RawClient
  private var buffer: [UInt8] = []

  init(_ client: RawClient) { self.client = client }

  struct Malformed: Error { var text: String }

  private mutating func more() async throws {
    let part = try await client.receive()
    if part.isEmpty { throw Malformed(text: "closed after \(String(decoding: buffer, as: UTF8.self))") }
    buffer += part
  }

  private mutating func line() async throws -> String {
    while true {
      if let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
        guard end > 0, buffer[end - 1] == UInt8(ascii: "\r") else { throw Malformed(text: "bare LF") }
        let line = String(decoding: buffer[..<(end - 1)], as: UTF8.self)
        buffer.removeFirst(end + 1)
        return line
      }
      try await more()
    }
  }

  private mutating func take(_ count: Int) async throws -> Data {
    while buffer.count < count { try await more() }
    defer { buffer.removeFirst(count) }
    return Data(buffer[..<count])
  }

  /// - Parameter head: whether the request was HEAD, whose response has no body.
  mutating func next(head: Bool = false) async throws -> HTTPResponse {
    let statusLine = try await line()
    let parts = statusLine.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0] == "HTTP/1.1", let status = Int(parts[1]) else {
      throw Malformed(text: statusLine)
    }
    var response = HTTPResponse(status: status)
    while true {
      let field = try await line()
      if field.isEmpty { break }
      guard let colon = field.firstIndex(of: ":") else { throw Malformed(text: field) }
      response.headers.add(
        String(field[..<colon]), field[field.index(after: colon)...].trimmingCharacters(in: .whitespaces))
    }
    if head || status == 204 || status == 304 || status < 200 { return response }
    if response.headers["Transfer-Encoding"] == "chunked" {
      while true {
        let size = try await line()
        guard let count = Int(size, radix: 16) else { throw Malformed(text: size) }
        response.body += try await take(count)
        guard try await line() == "" else { throw Malformed(text: "chunk without end") }
        if count == 0 { return response }
      }
    }
    guard let length = response.headers["Content-Length"].flatMap({ Int($0) }) else {
      throw Malformed(text: "no framing")
    }
    response.body = try await take(length)
    return response
  }

  /// Whether the server closes without sending anything more.
  mutating func isAtEnd() async throws -> Bool {
    if !buffer.isEmpty { return false }
    return try await client.receive().isEmpty
  }
}
