import Foundation
import ParvaEngine
import ParvaFormats
import ParvaHTTP
import ParvaServing

/// A JSON merge patch (RFC 7396): members replace members, null takes one away, which is then at its default.
struct MergePatch: Sendable {
  private let body: Data

  /// - Throws: 415 `unsupported_media_type`, 400 `body_missing` and `invalid_syntax`, 422 `duplicate` for a key said twice.
  init(_ request: HTTPRequest) throws(ProblemDetails) {
    let type = request.mediaType
    let allowed = ["application/merge-patch+json", "application/json", "application/x-www-form-urlencoded", ""]
    guard allowed.contains(type) else {
      throw ProblemDetails(
        status: 415, code: "unsupported_media_type", detail: "A patch is application/merge-patch+json, not \(type).",
        headers: ["Accept-Patch": "application/merge-patch+json"])
    }
    guard !request.body.isEmpty else {
      throw ProblemDetails(status: 400, code: "body_missing", detail: "The request needs a body.")
    }
    do throws(InputErrors) {
      try InputSource(request.body, format: .json).checkSyntax(limit: InputLimits.fileBytes)
    } catch {
      throw ProblemDetails(error)
    }
    guard (try? JSONSerialization.jsonObject(with: request.body)) is [String: Any] else {
      throw ProblemDetails(status: 400, code: "invalid_syntax", detail: "A patch is one JSON object.")
    }
    body = request.body
  }

  /// The workload as the patch leaves it, validated as any other.
  func applied(to workload: Workload) throws(ProblemDetails) -> Workload {
    do {
      let target = try JSONSerialization.jsonObject(with: WorkloadWriter.json(workload))
      let patch = try JSONSerialization.jsonObject(with: body)
      let merged = try JSONSerialization.data(withJSONObject: Self.merge(target, patch))
      return try WorkloadReader.readOne(InputSource(merged, format: .json))
    } catch let errors as InputErrors {
      throw ProblemDetails(errors)
    } catch {
      throw ProblemDetails(status: 400, code: "invalid_syntax", detail: "The patch cannot be read.")
    }
  }

  /// RFC 7396, section 2.
  private static func merge(_ target: Any, _ patch: Any) -> Any {
    guard let patch = patch as? [String: Any] else { return patch }
    var merged = target as? [String: Any] ?? [:]
    for (key, value) in patch {
      if value is NSNull {
        merged[key] = nil
      } else {
        merged[key] = merge(merged[key] ?? NSNull(), value)
      }
    }
    return merged
  }
}
