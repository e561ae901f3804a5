package import Foundation
import ParvaWire

/// Reads what is asked of a new token.
package enum TokenSpecReader {
  /// A wish whose every member was judged.
  package struct Wish: Hashable, Sendable {
    package var name: String
    package var role: String
    package var node: String?
    package var namespace: String?
    /// Seconds; nil: it does not end by itself.
    package var lifetime: TimeInterval?
  }

  static let bytes = 4 << 10
  /// Longest life of a token, in seconds: ten years.
  package static let longest: TimeInterval = 3_650 * 86_400

  /// - Parameter roles: those that there are; `node` is the one that needs a node.
  /// - Throws: every refusal found, each with its place.
  package static func read(_ source: InputSource, roles: [String]) throws(InputErrors) -> Wish {
    let document = try InputDocument(source, limit: bytes)
    let spec = try document.decode(TokenSpec.self)
    var refusals = Refusals()
    if !roles.contains(spec.role) {
      refusals.add(
        document.error(
          .outOfRange, "a role is \(roles.joined(separator: ", "))", at: ["role"], value: spec.role))
    }
    if spec.role == "node" {
      if let node = spec.node, !Names.isIdentifier(node) {
        refusals.add(
          document.error(.invalidName, "a node's name is \(Names.identifierRule)", at: ["node"], value: node))
      } else if spec.node == nil {
        refusals.add(document.error(.missingKey, "a token of the role node needs the name of its node", at: ["node"]))
      }
    } else if spec.node != nil {
      refusals.add(document.error(.contradiction, "only a token of the role node speaks for a node", at: ["node"]))
    }
    if let namespace = spec.namespace {
      if !Namespace.isName(namespace) {
        refusals.add(
          document.error(
            .invalidName, "a namespace's name is \(Namespace.nameRule)", at: ["namespace"], value: namespace))
      } else if !boundRoles.contains(spec.role) {
        refusals.add(
          document.error(
            .contradiction, "only a token of the role \(boundRoles.joined(separator: " or ")) is for one namespace",
            at: ["namespace"]))
      }
    }
    let name = spec.name ?? spec.node
    if let name, spec.name != nil, !isName(name) {
      refusals.add(document.error(.invalidName, "a token's name is \(nameRule)", at: ["name"], value: name))
    } else if name == nil {
      refusals.add(document.error(.missingKey, "a token needs a name", at: ["name"]))
    }
    let lifetime = spec.ttl.flatMap { seconds($0) }
    if let ttl = spec.ttl, lifetime == nil {
      refusals.add(document.error(.outOfRange, "ttl is \(lifetimeRule)", at: ["ttl"], value: ttl))
    }
    try refusals.check()
    return Wish(name: name ?? "", role: spec.role, node: spec.node, namespace: spec.namespace, lifetime: lifetime)
  }

  /// Roles that there are within one namespace.
  package static let boundRoles = ["reader", "operator"]

  package static let nameRule = "1 to 64 letters, digits, '-', '_' and '.'"

  package static func isName(_ text: some StringProtocol) -> Bool {
    (1...64).contains(text.utf8.count)
      && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }
  }

  package static let lifetimeRule = "a whole number of s, m, h or d, for example 30d, from 1s to 3650d"

  /// Seconds of a duration as `30d`, `12h`, `90m` or `45s`; nil for anything else.
  package static func seconds(_ text: String) -> TimeInterval? {
    guard let unit = text.last, let length = ["s": 1, "m": 60, "h": 3_600, "d": 86_400][unit],
      (1...12).contains(text.utf8.count - 1), text.dropLast().utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      let count = Int(text.dropLast())
    else { return nil }
    let seconds = Double(count) * Double(length)
    return seconds >= 1 && seconds <= longest ? seconds : nil
  }
}
