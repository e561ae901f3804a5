import Foundation
import ParvaControl
import ParvaHTTP

/// `/openapi.yaml`: the description of this very interface, carried inside the binary.
struct OpenAPIHandlers: Sendable {
  static let document = CachedBody(Data(PackageResources.openapi_yaml))
  private static let tag = EntityTag(of: document.plain).text

  func get(_ request: HTTPRequest) -> HTTPResponse {
    request.unlessFresh(
      HTTPResponse(
        status: 200, contentType: "application/yaml", cached: Self.document, headers: ["ETag": Self.tag]))
  }
}
