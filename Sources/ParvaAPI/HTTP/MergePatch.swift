import Foundation
import ParvaEngine
import ParvaFormats
import ParvaHTTP
import ParvaServing
import ParvaWire

/// A JSON merge patch (RFC 7396): members replace members, null takes one away, which is then at its default.
struct MergePatch: Sendable {
  private let patch: JSONValue

  /// - Throws: 415 `unsupported_media_type`, 400 `body_missing` and `invalid_syntax`, 422 `duplicate` for a key said twice.
  init(_ request: HTTPRequest) throws(ProblemDetails) {
    let patch = try Self.value(in: request)
    guard case .object = patch else {
      throw ProblemDetails(
        status: 400, code: "invalid_syntax", detail: "A patch is one JSON object, with numbers up to 1.8e308.")
    }
    self.patch = patch
  }

  /// - Parameter members: those of an object.
  private init(_ members: [String: JSONValue]) { patch = .object(members) }

  /// A patch for each of several workloads, which its member `id` names: a list, or one under `workloads`.
  ///
  /// - Throws: as for one; 422 `missing_key`, `duplicate` and `wrong_type` with the place of the element.
  static func several(_ request: HTTPRequest) throws(ProblemDetails) -> [Element] {
    var (value, place) = (try value(in: request), "")
    if case .object(let members) = value, members.count == 1, let inner = members["workloads"] {
      (value, place) = (inner, "/workloads")
    }
    guard case .list(let patches) = value else {
      throw ProblemDetails(
        status: 400, code: "invalid_syntax",
        detail: "Patches are a JSON list of objects, each with the id of its workload.")
    }
    var seen: Set<String> = []
    return try patches.enumerated().map { index, patch throws(ProblemDetails) in
      let pointer = "\(place)/\(index)"
      guard case .object(let members) = patch else {
        throw ProblemDetails(
          status: 422, code: "wrong_type", detail: "A patch is a JSON object.", pointer: pointer)
      }
      guard let id = members["id"]?.text else {
        throw ProblemDetails(
          status: 422, code: "missing_key", detail: "A patch among several needs the id of its workload.",
          pointer: pointer + "/id")
      }
      guard seen.insert(id).inserted else {
        throw ProblemDetails(
          status: 422, code: "duplicate", detail: "Another patch of the list is about the same workload.",
          pointer: pointer + "/id")
      }
      return Element(id: id, patch: MergePatch(members), pointer: pointer)
    }
  }

  /// One of several.
  struct Element: Sendable {
    let id: String
    let patch: MergePatch
    /// Where it stands in the body.
    let pointer: String
  }

  private static func value(in request: HTTPRequest) throws(ProblemDetails) -> JSONValue {
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
      return try InputSource(request.body, format: .json).value(limit: InputLimits.fileBytes)
    } catch {
      throw ProblemDetails(error)
    }
  }

  /// The workload as the patch leaves it, validated as any other.
  func applied(to workload: Workload) throws(ProblemDetails) -> Workload {
    do {
      if case .object(let members) = patch, let rate = members["rate"]?.number,
        members.count == (members["id"] == nil ? 1 : 2),
        members["id"] ?? .string(workload.id) == .string(workload.id)
      {
        // What an autoscaler sends, thousands at a time.
        var spec = WorkloadReader.spec(of: workload)
        spec.rate = rate
        return try WorkloadReader.workload(from: spec)
      }
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
