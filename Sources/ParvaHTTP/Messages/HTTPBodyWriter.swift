package import Foundation

/// Where the producer of a streaming response puts its bytes.
package struct HTTPBodyWriter: Sendable {
  private let send: @Sendable (Data) async throws -> Void

  package init(send: @escaping @Sendable (Data) async throws -> Void) { self.send = send }

  /// Sends one piece; returns when the connection has room for more.
  ///
  /// Throws `CancellationError` once the client has gone or the server drains.
  package func write(_ bytes: Data) async throws { try await send(bytes) }

  /// Sends one server-sent event (WHATWG HTML, section 9.2): every line of `data` becomes a field of its own.
  package func send(event: String? = nil, id: String? = nil, data: String) async throws {
    var text = ""
    if let id { text += "id: \(id.singleLine)\n" }
    if let event { text += "event: \(event.singleLine)\n" }
    for line in data.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) { text += "data: \(line)\n" }
    try await write(Data((text + "\n").utf8))
  }

  /// Sends a comment line, which keeps middle boxes from closing a quiet stream.
  package func sendComment(_ text: String) async throws { try await write(Data(": \(text.singleLine)\n\n".utf8)) }
}

extension String {
  /// Line breaks would end the field and start another; they become spaces.
  fileprivate var singleLine: String { String(map { $0.isNewline ? " " : $0 }) }
}
