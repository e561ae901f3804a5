/// Why a server could not be set up.
package struct HTTPServerError: Error, Sendable, Hashable, CustomStringConvertible {
  /// Stable: `cannot_listen` (address, certificate or limit) or `cannot_reload` (certificate).
  package var code: String
  /// One sentence with the address or file and the cause.
  package var message: String

  package var description: String { "\(code): \(message)" }
}
