import Foundation
import ParvaEngine
import ParvaFormats
import ParvaHTTP
import ParvaServing
import ParvaWire

/// A JSON merge patch (RFC 7396): members replace members, null takes one away, which is then at its default.
struct MergePatch: Sendable {
  private enum Content: Sendable {
    /// Of an object.
    case members([String: JSONValue])
    /// What an autoscaler sends, thousands at a time: nothing but another rate.
    case rate(Double)
  }

  private let content: Content

  /// - Throws: 415 `unsupported_media_type`, 400 `body_missing` and `invalid_syntax`, 422 `duplicate` for a key said twice.
  init(_ request: HTTPRequest) throws(ProblemDetails) {
    guard case .object(let members) = try Self.value(in: request) else {
      throw ProblemDetails(
        status: 400, code: "invalid_syntax", detail: "A patch is one JSON object, with numbers up to 1.8e308.")
    }
    content = .members(members)
  }

  private init(_ content: Content) { self.content = content }

  /// A patch for each of several workloads, which its member `id` names: a list, or one under `workloads`.
  ///
  /// - Throws: as for one; 422 `missing_key`, `duplicate` and `wrong_type` with the places of all elements that are so.
  static func several(_ request: HTTPRequest) throws(ProblemDetails) -> [Element] {
    try checkType(of: request)
    if request.body.count <= InputLimits.fileBytes, let (rates, isBare) = QuickRateParser.rates(in: request.body) {
      return rates.enumerated().map { index, rate in
        Element(
          id: rate.id, patch: MergePatch(.rate(rate.rate)),
          place: Element.Place(under: isBare ? "" : "/workloads", index))
      }
    }
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
    var faults = BulkFaults()
    var elements: [Element] = []
    for (index, patch) in patches.enumerated() {
      let place = Element.Place(under: place, index)
      guard case .object(let members) = patch else {
        faults.add(422, "wrong_type", "A patch is a JSON object.", place.pointer)
        continue
      }
      guard let id = members["id"]?.text else {
        faults.add(422, "missing_key", "A patch among several needs the id of its workload.", place.pointer + "/id")
        continue
      }
      if !seen.insert(id).inserted {
        faults.add(422, "duplicate", "Another patch of the list is about the same workload.", place.pointer + "/id")
      }
      elements.append(Element(id: id, patch: MergePatch(.members(members)), place: place))
    }
    try faults.check()
    return elements
  }

  /// One of several.
  struct Element: Sendable {
    /// Where it stands in the body.
    struct Place: Sendable {
      let root: String
      let index: Int

      init(under root: String, _ index: Int) { (self.root, self.index) = (root, index) }

      var pointer: String { "\(root)/\(index)" }
    }

    let id: String
    let patch: MergePatch
    let place: Place
  }

  private static func checkType(of request: HTTPRequest) throws(ProblemDetails) {
    let type = request.mediaType
    let allowed = ["application/merge-patch+json", "application/json", "application/x-www-form-urlencoded", ""]
    guard allowed.contains(type) else {
      throw ProblemDetails(
        status: 415, code: "unsupported_media_type", detail: "A patch is application/merge-patch+json, not \(type).",
        headers: ["Accept-Patch": "application/merge-patch+json"])
    }
  }

  private static func value(in request: HTTPRequest) throws(ProblemDetails) -> JSONValue {
    try checkType(of: request)
    guard !request.body.isEmpty else {
      throw ProblemDetails(status: 400, code: "body_missing", detail: "The request needs a body.")
    }
    do throws(InputErrors) {
      return try InputSource(request.body, format: .json).value(limit: InputLimits.fileBytes)
    } catch {
      throw ProblemDetails(error)
    }
  }

  /// An object as the patch leaves it, to be read as any other.
  func applied(to object: JSONValue) throws(ProblemDetails) -> InputSource {
    do {
      var merged = object
      if case .members(let members) = content { merged.merge(.object(members)) }
      return InputSource(try WireWriter.json(merged), format: .json)
    } catch {
      throw ProblemDetails(status: 400, code: "invalid_syntax", detail: "The patch cannot be read.")
    }
  }

  /// The workload as the patch leaves it, validated as any other.
  func applied(to workload: Workload) throws(ProblemDetails) -> Workload {
    do {
      switch content {
      case .rate(let rate): return try WorkloadReader.workload(workload, at: rate)
      case .members(let members):
        var merged = try JSONDecoder().decode(JSONValue.self, from: WorkloadWriter.json(workload))
        merged.merge(.object(members))
        return try WorkloadReader.readOne(InputSource(try WireWriter.json(merged), format: .json))
      }
    } catch let errors as InputErrors {
      throw ProblemDetails(errors)
    } catch {
      throw ProblemDetails(status: 400, code: "invalid_syntax", detail: "The patch cannot be read.")
    }
  }
}
