package import Foundation
import ParvaFormats
package import ParvaHTTP

/// What an Envoy asks; keys that mean nothing here are passed over, because it sends many.
package struct DiscoveryRequest: Sendable, Hashable {
  package static let port = 10_000
  static let mostName = 512
  static let mostNames = 10_000

  /// The version that it holds; empty before the first.
  package var version = ""
  package var node = ""
  package var cluster = ""
  package var names: [String] = []
  /// Why it refuses what it was sent last.
  package var refusal: String?
  /// Where it is to listen.
  package var listenAddress = "0.0.0.0"
  package var listenPort = Self.port

  /// About what it takes to keep it.
  var bytes: Int {
    version.utf8.count + node.utf8.count + cluster.utf8.count + (refusal?.utf8.count ?? 0)
      + names.reduce(0) { $0 + $1.utf8.count + 16 }
  }

  /// - Throws: 400 `invalid_syntax`; 422 `invalid_request`, also for another type than the path's.
  package init(_ body: Data, typeURL: String) throws(ProblemDetails) {
    guard let root = (try? JSONSerialization.jsonObject(with: body)) as? [String: Any] else {
      throw ProblemDetails(status: 400, code: "invalid_syntax", detail: "A DiscoveryRequest is one JSON object.")
    }
    // Protobuf's JSON may have either form of a name.
    func value(_ object: [String: Any], _ name: String, _ other: String) -> Any? { object[name] ?? object[other] }
    if let type = value(root, "type_url", "typeUrl") as? String, !type.isEmpty, type != typeURL {
      throw Self.invalid("type_url must be \(typeURL) on this path")
    }
    version = try Self.text(value(root, "version_info", "versionInfo"), "version_info")
    let node = root["node"] as? [String: Any] ?? [:]
    self.node = try Self.text(node["id"], "node.id")
    cluster = try Self.text(node["cluster"], "node.cluster")
    guard !self.node.isEmpty else { throw Self.invalid("node.id must say who asks") }
    if let metadata = (node["metadata"] as? [String: Any])?["parva"] as? [String: Any] {
      let address = try Self.text(value(metadata, "listen_address", "listenAddress"), "listen_address")
      if !address.isEmpty {
        guard ToldEndpointsReader.isIPAddress(address) else {
          throw Self.invalid("listen_address must be an IP address without brackets")
        }
        listenAddress = address
      }
      if let given = value(metadata, "listen_port", "listenPort"), !(given is NSNull) {
        guard let port = given as? Double, port == port.rounded(), (1...65_535).contains(port) else {
          throw Self.invalid("listen_port must be 1 to 65535")
        }
        listenPort = Int(port)
      }
    }
    let names = value(root, "resource_names", "resourceNames") as? [Any] ?? []
    guard names.count <= Self.mostNames else { throw Self.invalid("at most \(Self.mostNames) resource_names") }
    for name in names { self.names.append(try Self.text(name, "resource_names")) }
    if let error = value(root, "error_detail", "errorDetail") as? [String: Any] {
      refusal = String((error["message"] as? String ?? "refused without a message").prefix(2_000))
    }
  }

  private static func text(_ value: Any?, _ name: String) throws(ProblemDetails) -> String {
    guard let value, !(value is NSNull) else { return "" }
    guard let text = value as? String, text.utf8.count <= mostName else {
      throw invalid("\(name) must be text of at most \(mostName) bytes")
    }
    return text
  }

  private static func invalid(_ detail: String) -> ProblemDetails {
    ProblemDetails(status: 422, code: "invalid_request", detail: "\(detail).")
  }
}
