import Foundation
package import ParvaWire

/// Reads the registration of a node from JSON or YAML.
package enum NodeSpecReader {
  static let bytes = 64 << 10
  static let addressBytes = 2048

  /// - Throws: every refusal found, each with its place.
  package static func read(_ source: InputSource, named name: String) throws(InputErrors) -> NodeSpec {
    let document = try InputDocument(source, limit: bytes)
    var spec = try document.decode(NodeSpec.self)
    var refusals = Refusals()
    if let given = spec.name, given != name {
      refusals.add(
        document.error(
          .contradiction, "the body is about \(InputError.shortened(given)), the path about \(name)",
          at: ["name"], value: given))
    }
    if !isName(name) {
      refusals.add(document.error(.invalidName, "a node's name is \(Names.identifierRule)", at: [], value: name))
    }
    if let message = addressFault(spec.address) {
      refusals.add(document.error(.outOfRange, message, at: ["address"], value: spec.address))
    }
    if let zone = spec.zone, !isZone(zone) {
      refusals.add(document.error(.invalidName, "a zone is \(zoneRule)", at: ["zone"], value: zone))
    }
    if let reference = spec.webhookSecretRef, !Names.isIdentifier(reference) {
      refusals.add(
        document.error(
          .invalidName, "webhookSecretRef is \(Names.identifierRule)", at: ["webhookSecretRef"], value: reference))
    }
    if spec.webhookSecret != nil && spec.webhookSecretRef != nil {
      refusals.add(
        document.error(
          .contradiction, "webhookSecret and webhookSecretRef exclude each other", at: ["webhookSecretRef"]))
    }
    check(labels: spec.labels ?? [:], document, &refusals)
    try refusals.check()
    while spec.address.hasSuffix("/") { spec.address.removeLast() }
    return spec
  }

  package static func isName(_ text: String) -> Bool { Names.isIdentifier(text) }

  /// What ``isName(_:)`` allows, for messages.
  package static var nameRule: String { Names.identifierRule }

  package static func isZone(_ text: String) -> Bool { !text.isEmpty && Names.isLabelValue(text) }

  /// What ``isZone(_:)`` allows, for messages.
  package static let zoneRule = "up to 63 of A-Z a-z 0-9 - _ . with a letter or digit at both ends"

  package static func isLabel(_ key: String, _ value: String) -> Bool {
    Names.isLabelKey(key) && Names.isLabelValue(value)
  }

  /// Why a text is no address of an agent; nil for one that is.
  package static func addressFault(_ text: String) -> String? {
    let rule = "an address is http:// or https://, a host and a port, with no user, query or fragment"
    guard text.utf8.count <= addressBytes, text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }),
      let parts = URLComponents(string: text), ["http", "https"].contains(parts.scheme?.lowercased() ?? ""),
      parts.host?.isEmpty == false, parts.user == nil, parts.password == nil, parts.query == nil, parts.fragment == nil
    else { return rule }
    if let port = parts.port, !(1...65_535).contains(port) { return rule }
    return nil
  }

  private static func check(labels: [String: String], _ document: InputDocument, _ refusals: inout Refusals) {
    if labels.count > InputLimits.labels {
      refusals.add(
        document.error(
          .outOfRange, "at most \(InputLimits.labels) labels, not \(labels.count)", at: ["labels"],
          value: String(labels.count)))
      return
    }
    for (key, value) in labels.sorted(by: { $0.key < $1.key })
    where !isLabel(key, value) {
      refusals.add(document.error(.invalidName, "label: \(Names.labelRule)", at: ["labels", key], value: key))
    }
  }
}
