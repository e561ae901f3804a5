package import Foundation
import Yams

extension JSONValue {
  /// As block YAML, keys in order of their bytes; reads back as the same value. O(bytes).
  package func yaml() throws -> Data { Data(try Yams.serialize(node: node).utf8) }

  private var node: Node {
    switch self {
    case .null: Node("null", Tag(.null))
    case .bool(let value): Node(value ? "true" : "false", Tag(.bool))
    case .number(let value):
      // What counts is written as it is counted: 100000, not 1e+5.
      Int(exactly: value).map { Node(String($0), Tag(.int)) } ?? Node(value.description, Tag(.float))
    // Quoted where plain text would read as something else.
    case .string(let text): .scalar(text.represented())
    case .list(let elements): Node(elements.map(\.node))
    case .object(let members):
      Node(members.sorted { $0.key < $1.key }.map { (.scalar($0.key.represented()), $0.value.node) })
    }
  }
}
