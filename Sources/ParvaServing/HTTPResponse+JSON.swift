import Foundation
package import ParvaHTTP

extension HTTPResponse {
  /// A JSON answer of a wire shape; the same value gives the same bytes.
  package static func json(
    _ status: Int, _ value: some Encodable, headers: HTTPHeaders = HTTPHeaders()
  ) throws -> HTTPResponse {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return HTTPResponse(
      status: status, contentType: "application/json", body: try encoder.encode(value) + Data("\n".utf8),
      headers: headers)
  }
}
