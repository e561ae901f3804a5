import Foundation
import ParvaEngine
import ParvaWire
import Yams

/// A JSON or YAML input that can be decoded into a wire shape, and that knows where its values stand.
struct InputDocument {
  private enum Tree {
    case json(Data)
    /// The parser owns the anchors of the node, so both live together.
    case yaml(Node, Parser)
  }

  let name: String?
  private let tree: Tree

  /// - Throws: `not_utf8`, `invalid_syntax`, `too_large`, `empty`.
  init(_ source: InputSource, limit: Int) throws(InputErrors) {
    try source.checkSize(limit)
    name = source.name
    if let line = Self.firstLineNotUTF8(source.data) {
      throw InputErrors(InputError(.notUTF8, "is not UTF-8 text", file: source.name, line: line))
    }
    guard source.data.contains(where: { ![0x20, 0x09, 0x0a, 0x0d].contains($0) }) else {
      throw InputErrors(InputError(.empty, "is empty", file: source.name))
    }
    if source.format == .yaml {
      tree = try Self.parseYAML(String(decoding: source.data, as: UTF8.self), name: source.name)
    } else {
      let fault = JSONScanner.scan(source.data) { scanner in
        scanner.fault().map { ($0, line: scanner.line(at: $0.offset)) }
      }
      if let (fault, line) = fault {
        let message = fault.code == .invalidSyntax ? "is not JSON: \(fault.message)" : fault.message
        throw InputErrors(InputError(fault.code, message, file: source.name, line: line))
      }
      tree = .json(source.data)
    }
  }

  /// Nil for text. O(bytes), without a copy.
  private static func firstLineNotUTF8(_ data: Data) -> Int? {
    data.withUnsafeBytes { bytes in
      do throws(UTF8.ValidationError) {
        _ = try UTF8Span(validating: bytes.bindMemory(to: UInt8.self).span)
        return nil
      } catch {
        return 1 + bytes.prefix(error.byteOffsets.lowerBound).count { $0 == 0x0a }
      }
    }
  }

  /// Words that the engine's tables add to the shapes, and where their reading ends.
  private static let vocabulary: [CodingUserInfoKey: any Sendable] = {
    let words: [(CodingUserInfoKey?, any Sendable)] = [
      (.figures, PlanObjective.allCases.compactMap(\.figure)), (.sums, PlanObjective.summed.map(\.name)),
    ]
    let most: [(CodingUserInfoKey?, any Sendable)] = [(WorkloadList.mostFailures, InputLimits.refusals)]
    return Dictionary(
      (words + most).compactMap { key, value in key.map { ($0, value) } }, uniquingKeysWith: { a, _ in a })
  }()

  /// - Parameter known: what a shape takes from elsewhere where the document does not say it.
  func decode<Value: Decodable>(
    _ type: Value.Type, knowing known: [CodingUserInfoKey?: String] = [:]
  ) throws(InputErrors) -> Value {
    var words = Self.vocabulary
    for case (let key?, let text) in known { words[key] = text }
    do {
      switch tree {
      case .json(let data):
        let decoder = JSONDecoder()
        for (key, names) in words { decoder.userInfo[key] = names }
        return try decoder.decode(type, from: data)
      case .yaml(let node, let parser):
        return try withExtendedLifetime(parser) {
          try YAMLDecoder().decode(type, from: node, userInfo: words)
        }
      }
    } catch {
      throw InputErrors(refusal(of: error))
    }
  }

  /// A refusal at a place of the document, with its line where the format has one.
  func error(
    _ code: InputError.Code, _ message: String, at path: [String], value: String? = nil
  ) -> InputError {
    InputError(
      code, message, file: name, line: line(of: path), pointer: Self.pointer(path), value: value)
  }

  /// The refusal that says what a decoding failure means.
  ///
  /// - Parameter path: the element that failed, for failures that do not say themselves where they stand.
  func refusal(of error: any Error, at path: [any CodingKey] = []) -> InputError {
    switch error {
    case let error as UnknownKeyError:
      let path = error.codingPath.map(Self.step)
      return self.error(
        .unknownKey,
        "unknown key \"\(InputError.shortened(error.key))\"; allowed are \(error.allowed.joined(separator: ", "))",
        at: path + [error.key], value: error.key)
    case let error as DecodingError:
      return refusal(of: error)
    default:
      return self.error(.wrongType, "cannot be read", at: path.map(Self.step))
    }
  }

  private func refusal(of error: DecodingError) -> InputError {
    switch error {
    case .keyNotFound(let key, let context):
      return self.error(.missingKey, "key \"\(key.stringValue)\" is missing", at: context.codingPath.map(Self.step))
    case .typeMismatch(let type, let context):
      return self.error(.wrongType, "must be \(Self.kind(type))", at: context.codingPath.map(Self.step))
    case .valueNotFound(let type, let context):
      return self.error(.wrongType, "must be \(Self.kind(type)), not null", at: context.codingPath.map(Self.step))
    case .dataCorrupted(let context):
      return self.error(.wrongType, Self.sentence(context.debugDescription), at: context.codingPath.map(Self.step))
    @unknown default:
      return InputError(.invalidSyntax, "cannot be decoded", file: name)
    }
  }
}

// MARK: - Places

extension InputDocument {
  /// The decoder's sentence without its capital and its full stop, to stand inside ours.
  private static func sentence(_ text: String) -> String {
    let body = text.hasSuffix(".") ? String(text.dropLast()) : text
    return body.prefix(1).lowercased() + body.dropFirst()
  }

  private static func step(_ key: any CodingKey) -> String { key.intValue.map(String.init) ?? key.stringValue }

  /// Of a path with a step longer than any key that is known, what leads to it: the answer would be as long as the question.
  private static func pointer(_ path: [String]) -> String {
    path.prefix { $0.utf8.count <= 256 }.map { "/" + $0.replacing("~", with: "~0").replacing("/", with: "~1") }.joined()
  }

  private static func kind(_ type: any Any.Type) -> String {
    let name = String(describing: type)
    return switch name {
    case "String", "Scalar": "text"
    case "Double": "a number"
    case "Int": "a whole number"
    case "Mapping": "an object"
    case "Sequence": "an array"
    default: name.hasPrefix("Array") ? "an array" : "an object"
    }
  }

  private func line(of path: [String]) -> Int? {
    switch tree {
    case .json(let data):
      // In a request body the pointer says it; only a person with an editor needs the line.
      guard name != nil else { return nil }
      return JSONScanner.scan(data) { $0.line(of: path) }
    case .yaml(let root, _):
      return Self.line(of: path, in: root)
    }
  }

  private static func line(of path: [String], in root: Node) -> Int? {
    var node = root
    var line = node.mark?.line
    for step in path {
      if let mapping = node.mapping, let pair = mapping.first(where: { $0.key.string == step }) {
        line = pair.key.mark?.line ?? line
        node = pair.value
      } else if let sequence = node.sequence, let index = Int(step), sequence.indices.contains(index) {
        node = sequence[index]
        line = node.mark?.line ?? line
      } else {
        break
      }
    }
    return line
  }
}

// MARK: - YAML

extension InputDocument {
  private static func parseYAML(_ text: String, name: String?) throws(InputErrors) -> Tree {
    if let line = YAMLAliases.line(in: text) {
      throw InputErrors(
        InputError(
          .invalidSyntax, "anchors and aliases (& and *) are not read; write the value out", file: name, line: line))
    }
    do {
      let parser = try Parser(yaml: text, resolver: .default, encoding: .utf8)
      guard let node = try parser.singleRoot() else {
        throw InputErrors(InputError(.empty, "is empty", file: name))
      }
      return .yaml(withTextKeys(node), parser)
    } catch let error as InputErrors {
      throw error
    } catch {
      throw InputErrors(syntaxError(error, name: name))
    }
  }

  /// The same tree with every key as text, and looked up as such: YAML takes a key `no` or `1` for something else, and
  /// it would not be found.
  private static func withTextKeys(_ node: Node) -> Node {
    switch node {
    case .mapping(let mapping):
      return .mapping(
        Node.Mapping(
          mapping.map { key, value in
            let text = key.scalar.map { Node.scalar(Node.Scalar($0.string, Tag(.str), $0.style, $0.mark)) }
            return (text ?? key, withTextKeys(value))
          }, Tag(.map, .basic), mapping.style, mapping.mark))
    case .sequence(let sequence):
      return .sequence(
        Node.Sequence(sequence.map(withTextKeys), sequence.tag, sequence.style, sequence.mark))
    default: return node
    }
  }

  private static func syntaxError(_ error: any Error, name: String?) -> InputError {
    switch error as? YamlError {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      InputError(.invalidSyntax, "is not YAML: \(problem)", file: name, line: mark.line)
    case .duplicatedKeysInMapping(let keys, let context):
      InputError(
        .duplicate, "key \"\(InputError.shortened(keys.first ?? ""))\" stands twice in one object", file: name,
        line: context.mark.line, value: keys.first)
    case .reader(let problem, let offset, _, let text):
      InputError(
        .invalidSyntax, "is not YAML: \(problem)", file: name,
        line: offset.map { 1 + text.prefix($0).count(where: \.isNewline) })
    default:
      InputError(.invalidSyntax, "is not YAML", file: name)
    }
  }
}
