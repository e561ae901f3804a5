import Foundation
import ParvaEngine
import ParvaFormats
import ParvaHTTP
import ParvaServing

/// A JSON merge patch (RFC 7396): members replace members, null takes one away, which is then at its default.
struct MergePatch: Sendable {
  private let patch: JSONValue

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
    let patch = try? JSONDecoder().decode(JSONValue.self, from: request.body)
    guard let patch, case .object = patch else {
      throw ProblemDetails(
        status: 400, code: "invalid_syntax", detail: "A patch is one JSON object, with numbers up to 1.8e308.")
    }
    self.patch = patch
  }

  /// The workload as the patch leaves it, validated as any other.
  func applied(to workload: Workload) throws(ProblemDetails) -> Workload {
    do {
      var merged = try JSONDecoder().decode(JSONValue.self, from: WorkloadWriter.json(workload))
      merged.merge(patch)
      return try WorkloadReader.readOne(InputSource(try WireWriter.json(merged), format: .json))
    } catch let errors as InputErrors {
      throw ProblemDetails(errors)
    } catch {
      throw ProblemDetails(status: 400, code: "invalid_syntax", detail: "The patch cannot be read.")
    }
  }
}
