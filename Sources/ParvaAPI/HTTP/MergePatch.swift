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
    /// The same as it came, one of very many.
    case text(Data)
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
  /// - Parameter limit: of more elements than there can be workloads, and as many more as are refused at a time, no more are read.
  /// - Throws: as for one; 422 `missing_key`, `duplicate` and `wrong_type` and 413 `too_large` with the places of all elements that
  ///   are so, up to where ``BulkFaults`` is full.
  static func several(_ request: HTTPRequest, atMost limit: Int) throws(ProblemDetails) -> [Element] {
    try checkType(of: request)
    if request.body.count <= InputLimits.fileBytes,
      let (rates, isBare) = QuickRateParser.rates(in: request.body, atMost: limit)
    {
      return rates.enumerated().map { index, rate in
        Element(
          id: rate.id, patch: MergePatch(.rate(rate.rate)),
          place: Element.Place(under: isBare ? "" : "/workloads", index))
      }
    }
    let list = try list(in: request)
    var seen: Set<String> = []
    var faults = BulkFaults()
    var elements: [Element] = []
    list.forEach { index, element in
      let place = Element.Place(under: list.isBare ? "" : "/workloads", index)
      guard case .text(let text) = element else {
        faults.add(
          413, "too_large", "A patch has at most \(InputLimits.elementBytes >> 20) MiB.", place.pointer)
        return !faults.isFull
      }
      do throws(ProblemDetails) {
        let id = try id(in: text)
        if !seen.insert(id).inserted {
          throw ProblemDetails(
            status: 422, code: "duplicate", detail: "Another patch of the list is about the same workload.",
            pointer: "/id")
        }
        elements.append(Element(id: id, patch: MergePatch(.text(text)), place: place))
      } catch {
        var problem = error
        problem.pointer = place.pointer + (problem.pointer ?? "")
        faults.add(problem)
        faults.pass(bytes: text.count)
      }
      return !faults.isFull && elements.count < limit
    }
    try faults.check()
    return elements
  }

  private static func list(in request: HTTPRequest) throws(ProblemDetails) -> JSONList {
    try checkBody(of: request)
    let (list, outline): (JSONList, JSONValue)
    do throws(InputErrors) {
      list = try JSONList(InputSource(request.body, format: .json), under: "workloads", limit: InputLimits.fileBytes)
      outline = try list.outline.value(limit: InputLimits.elementBytes)
    } catch {
      throw ProblemDetails(error)
    }
    var isAlone = list.isBare
    if case .object(let members) = outline { isAlone = members.count == 1 }
    guard list.isThere, isAlone else {
      throw ProblemDetails(
        status: 400, code: "invalid_syntax",
        detail: "Patches are a JSON list of objects, each with the id of its workload.")
    }
    return list
  }

  /// The workload that one of several patches is about.
  private static func id(in text: Data) throws(ProblemDetails) -> String {
    struct Head: Decodable {
      let id: String
    }
    do {
      return try JSONDecoder().decode(Head.self, from: text).id
    } catch DecodingError.typeMismatch(_, let context) where context.codingPath.isEmpty {
      throw ProblemDetails(status: 422, code: "wrong_type", detail: "A patch is a JSON object.")
    } catch {
      throw ProblemDetails(
        status: 422, code: "missing_key", detail: "A patch among several needs the id of its workload.", pointer: "/id")
    }
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

  private static func checkBody(of request: HTTPRequest) throws(ProblemDetails) {
    guard !request.body.isEmpty else {
      throw ProblemDetails(status: 400, code: "body_missing", detail: "The request needs a body.")
    }
  }

  private static func value(in request: HTTPRequest) throws(ProblemDetails) -> JSONValue {
    try checkType(of: request)
    try checkBody(of: request)
    do throws(InputErrors) {
      return try InputSource(request.body, format: .json).value(limit: InputLimits.fileBytes)
    } catch {
      throw ProblemDetails(error)
    }
  }

  /// Nil where it is nothing but a rate.
  private var value: JSONValue? {
    get throws(InputErrors) {
      switch content {
      case .members(let members): .object(members)
      case .text(let text): try InputSource(text, format: .json).value(limit: InputLimits.elementBytes)
      case .rate: nil
      }
    }
  }

  /// How much of a body it is.
  var bytes: Int {
    if case .text(let text) = content { text.count } else { 0 }
  }

  /// An object as the patch leaves it, to be read as any other.
  func applied(to object: JSONValue) throws(ProblemDetails) -> InputSource {
    do {
      var merged = object
      if let patch = try value { merged.merge(patch) }
      return InputSource(try WireWriter.json(merged), format: .json)
    } catch {
      throw ProblemDetails(status: 400, code: "invalid_syntax", detail: "The patch cannot be read.")
    }
  }

  /// The workload as the patch leaves it, validated as any other.
  ///
  /// - Parameter home: the namespace that bare ids are of, and the only one that may be named; nil: `default`, and any may be.
  func applied(to workload: Workload, in home: String? = nil) throws(ProblemDetails) -> Workload {
    do {
      if case .rate(let rate) = content { return try WorkloadReader.workload(workload, at: rate) }
      var merged = try JSONDecoder().decode(JSONValue.self, from: WorkloadWriter.json(workload))
      if let patch = try value { merged.merge(patch) }
      return try WorkloadReader.readOne(InputSource(try WireWriter.json(merged), format: .json), in: home)
    } catch let errors as InputErrors {
      throw ProblemDetails(errors)
    } catch {
      throw ProblemDetails(status: 400, code: "invalid_syntax", detail: "The patch cannot be read.")
    }
  }
}
