import Foundation
import ParvaControl
import ParvaFormats
import ParvaHTTP

/// `/openapi.yaml` and `/openapi.json`: the description of this very interface, carried inside the binary.
struct OpenAPIHandlers: Sendable {
  static let document = CachedBody(Data(PackageResources.openapi_yaml))
  private static let tag = EntityTag(of: document.plain).text
  /// Made when it is first asked for.
  private static let json: CachedBody = {
    let value = try? InputSource(document.plain, format: .yaml).value(limit: InputLimits.fileBytes)
    return CachedBody((try? WireWriter.json(value ?? .null)) ?? Data())
  }()
  private static let jsonTag = EntityTag(of: json.plain).text

  func get(_ request: HTTPRequest) -> HTTPResponse {
    request.unlessFresh(
      HTTPResponse(
        status: 200, contentType: "application/yaml", cached: Self.document, headers: ["ETag": Self.tag]))
  }

  func getJSON(_ request: HTTPRequest) -> HTTPResponse {
    request.unlessFresh(
      HTTPResponse(status: 200, contentType: "application/json", cached: Self.json, headers: ["ETag": Self.jsonTag]))
  }
}
