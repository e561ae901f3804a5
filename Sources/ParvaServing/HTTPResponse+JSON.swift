import Foundation
import ParvaFormats
package import ParvaHTTP

extension HTTPResponse {
  /// A JSON answer of a wire shape; the same value gives the same bytes.
  package static func json(
    _ status: Int, _ value: some Encodable, headers: HTTPHeaders = HTTPHeaders()
  ) throws -> HTTPResponse {
    HTTPResponse(
      status: status, contentType: "application/json", body: try WireWriter.json(value) + Data("\n".utf8),
      headers: headers)
  }
}
