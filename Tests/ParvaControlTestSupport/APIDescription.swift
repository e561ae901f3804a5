package import Foundation
package import ParvaFormats
package import ParvaHTTP
import Yams

/// openapi.yaml, and whether an answer is as it says: status, media type, fields of the head, and every member of a JSON
/// body by name and type.
package struct APIDescription: Sendable {
  package static let own = Result { try APIDescription() }

  /// Where it lies in the sources.
  package static var file: URL {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "openapi.yaml")
  }

  /// What any answer may carry, said once in the head of the document.
  private static let general: Set<String> = [
    "content-type", "vary", "x-request-id", "traceparent", "content-encoding", "content-length", "cache-control",
    "ratelimit", "ratelimit-policy", "parva-role", "parva-staleness",
  ]

  private let root: JSONValue

  private init() throws {
    guard let text = try Yams.load(yaml: String(contentsOf: Self.file, encoding: .utf8)) else {
      throw Missing("openapi.yaml is empty")
    }
    root = JSONValue(text)
  }

  /// The operations as `METHOD /path`, each with its description.
  package var operations: [String: JSONValue] {
    var found: [String: JSONValue] = [:]
    for (path, item) in root["paths"].members {
      for (method, operation) in item.members where method != "parameters" {
        found["\(method.uppercased()) \(path)"] = operation
      }
    }
    return found
  }

  /// The statuses that an operation is said to answer.
  package func statuses(_ operation: String) -> Set<Int> {
    Set((operations[operation] ?? .null)["responses"].members.keys.compactMap { Int($0) })
  }

  /// What is wrong with an answer; empty where all of it is described.
  package func faults(in response: HTTPResponse, to operation: String) -> [String] {
    guard let responses = operations[operation]?["responses"] else { return ["it is not described"] }
    guard let described = responses.members[String(response.status)].map(resolved) else {
      return ["status \(response.status) is not described"]
    }
    let fields = Set(described["headers"].members.keys.map { $0.lowercased() })
    var faults = response.headers.fields.map { $0.name.lowercased() }
      .filter { !fields.contains($0) && !Self.general.contains($0) }
      .map { "the field \($0) of a \(response.status) is not described" }
    guard !response.body.isEmpty else { return faults }
    let type = String((response.headers["Content-Type"] ?? "").prefix { $0 != ";" })
    guard let content = described["content"].members[type] else { return faults + ["\(type) is not described"] }
    if type.hasSuffix("json"), response.headers["Content-Encoding"] == nil {
      do {
        let body = try JSONDecoder().decode(JSONValue.self, from: response.body)
        faults += self.faults(in: body, content["schema"], at: "")
      } catch {
        faults.append("the body is no JSON: \(error)")
      }
    }
    return faults
  }

  private func resolved(_ value: JSONValue) -> JSONValue {
    guard case .string(let reference)? = value.members["$ref"] else { return value }
    return resolved(reference.split(separator: "/").dropFirst().reduce(root) { $0[String($1)] })
  }

  private func faults(in value: JSONValue, _ schema: JSONValue, at place: String) -> [String] {
    let schema = resolved(schema)
    for key in ["oneOf", "anyOf"] {
      let choices = schema[key].elements.map { faults(in: value, $0, at: place) }
      if let fewest = choices.min(by: { $0.count < $1.count }), !fewest.isEmpty { return fewest }
    }
    let types = schema["type"].elements.isEmpty ? [schema["type"]] : schema["type"].elements
    let names = types.compactMap(\.text)
    guard names.isEmpty || names.contains(where: value.isOf) else { return ["\(place) is no \(names)"] }
    let values = schema["enum"].elements
    guard values.isEmpty || values.contains(value) else { return ["\(place) is \(value), which is not in its enum"] }
    switch value {
    case .list(let elements):
      return elements.enumerated().flatMap { faults(in: $1, schema["items"], at: "\(place)/\($0)") }
    case .object(let members): return faults(in: members, schema, at: place)
    default: return []
    }
  }

  private func faults(in members: [String: JSONValue], _ schema: JSONValue, at place: String) -> [String] {
    let parts = [schema] + schema["allOf"].elements.map(resolved)
    let known = parts.reduce(into: [String: JSONValue]()) { $0.merge($1["properties"].members) { $1 } }
    let required = parts.flatMap { $0["required"].elements.compactMap(\.text) }
    var faults = required.filter { members[$0] == nil }.map { "\(place)/\($0) is missing" }
    for (name, value) in members {
      if let property = known[name] {
        faults += self.faults(in: value, property, at: "\(place)/\(name)")
      } else if let others = parts.lazy.compactMap({ $0.members["additionalProperties"] }).first {
        if case .object = others { faults += self.faults(in: value, others, at: "\(place)/\(name)") }
        if others == .bool(false) { faults.append("\(place)/\(name) is not described") }
      } else if schema["oneOf"].elements.isEmpty, !known.isEmpty || !schema["type"].isNothing {
        faults.append("\(place)/\(name) is not described")
      }
    }
    return faults
  }
}

extension JSONValue {
  /// Of what Yams gives.
  fileprivate init(_ value: Any) {
    switch value {
    case let value as Bool: self = .bool(value)
    case let value as Int: self = .number(Double(value))
    case let value as Double: self = .number(value)
    case let value as String: self = .string(value)
    case let value as [Any]: self = .list(value.map { JSONValue($0) })
    case let value as [String: Any]: self = .object(value.mapValues { JSONValue($0) })
    default: self = .null
    }
  }

  package var members: [String: JSONValue] { if case .object(let members) = self { members } else { [:] } }

  /// Whether there is none: a part of a schema without a type or members only says which others go together.
  fileprivate var isNothing: Bool { self == .null }

  /// Whether it is of a type of JSON schema.
  fileprivate func isOf(_ type: String) -> Bool {
    switch self {
    case .null: type == "null"
    case .bool: type == "boolean"
    case .number(let value): type == "number" || type == "integer" && value == value.rounded()
    case .string: type == "string"
    case .list: type == "array"
    case .object: type == "object"
    }
  }
}
