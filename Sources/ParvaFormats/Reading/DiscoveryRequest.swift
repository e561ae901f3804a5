package import Foundation

/// What an Envoy asks (the DiscoveryRequest of xDS version 3, as JSON).
package struct DiscoveryRequest: Sendable, Hashable {
  package static let port = 10_000
  /// An Envoy lists its extensions in every request: tens of kilobytes.
  package static let bytes = 1 << 20
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
  package var size: Int {
    version.utf8.count + node.utf8.count + cluster.utf8.count + (refusal?.utf8.count ?? 0)
      + names.reduce(0) { $0 + $1.utf8.count + 16 }
  }

  /// Keys that mean nothing here are passed over, because an Envoy sends many. O(bytes).
  ///
  /// - Throws: every refusal found, with its place; also where it asks for another type than the path's.
  package init(_ body: Data, typeURL: String) throws(InputErrors) {
    if let shape = QuickDiscoveryParser.shape(body), let request = try? Self(shape, typeURL: typeURL, document: nil) {
      self = request
      return
    }
    let document = try InputDocument(InputSource(body, format: .json), limit: Self.bytes)
    self = try Self(try document.decode(DiscoveryShape.self), typeURL: typeURL, document: document)
  }

  private init(_ shape: DiscoveryShape, typeURL: String, document: InputDocument?) throws(InputErrors) {
    var refusals = Refusals()
    func refuse(_ code: InputError.Code, _ message: String, _ path: [String]) {
      refusals.add(document?.error(code, message, at: path) ?? InputError(code, message))
    }
    func text(_ value: String?, _ path: String...) -> String {
      if value?.utf8.count ?? 0 > Self.mostName {
        refuse(.outOfRange, "at most \(Self.mostName) bytes", path)
      }
      return value ?? ""
    }
    if let type = shape.type, !type.isEmpty, type != typeURL {
      refuse(.contradiction, "type_url must be \(typeURL) on this path", ["type_url"])
    }
    version = text(shape.version, "version_info")
    node = text(shape.node?.id, "node", "id")
    cluster = text(shape.node?.cluster, "node", "cluster")
    if node.isEmpty { refuse(.missingKey, "node.id must say who asks", ["node", "id"]) }
    let parva = shape.node?.metadata?.parva
    if let address = parva?.address, !address.isEmpty {
      if !ToldEndpointsReader.isIPAddress(address) {
        refuse(.outOfRange, "an IP address without brackets", ["node", "metadata", "parva", "listen_address"])
      }
      listenAddress = address
    }
    if let port = parva?.port {
      if port == port.rounded(), (1...65_535).contains(port) {
        listenPort = Int(port)
      } else {
        refuse(.outOfRange, "a port is 1 to 65535", ["node", "metadata", "parva", "listen_port"])
      }
    }
    names = shape.names
    if names.count > Self.mostNames {
      refuse(.outOfRange, "at most \(Self.mostNames) names", ["resource_names"])
    }
    for (index, name) in names.enumerated() where name.utf8.count > Self.mostName {
      refuse(.outOfRange, "at most \(Self.mostName) bytes", ["resource_names", String(index)])
    }
    if shape.isRefusal { refusal = String((shape.refusal ?? "refused without a message").prefix(2_000)) }
    try refusals.check()
  }
}

/// The part of a DiscoveryRequest that means something here. Protobuf's JSON may have either form of a name.
struct DiscoveryShape: Hashable, Decodable {
  struct Node: Hashable, Decodable {
    struct Metadata: Hashable, Decodable {
      struct Parva: Hashable, Decodable {
        var address: String?
        var port: Double?

        private enum CodingKeys: String, CodingKey {
          case address = "listen_address"
          case otherAddress = "listenAddress"
          case port = "listen_port"
          case otherPort = "listenPort"
        }

        init() {}

        init(from decoder: any Decoder) throws {
          let keys = try decoder.container(keyedBy: CodingKeys.self)
          address = try keys.either(.address, .otherAddress)
          port = try keys.either(.port, .otherPort)
        }
      }

      var parva: Parva?
    }

    var id: String?
    var cluster: String?
    var metadata: Metadata?
  }

  private struct Detail: Decodable { var message: String? }

  var version: String?
  var type: String?
  var node: Node?
  var names: [String] = []
  var isRefusal = false
  var refusal: String?

  private enum CodingKeys: String, CodingKey {
    case node
    case version = "version_info"
    case otherVersion = "versionInfo"
    case type = "type_url"
    case otherType = "typeUrl"
    case names = "resource_names"
    case otherNames = "resourceNames"
    case detail = "error_detail"
    case otherDetail = "errorDetail"
  }

  init() {}

  init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    version = try keys.either(.version, .otherVersion)
    type = try keys.either(.type, .otherType)
    node = try keys.decodeIfPresent(Node.self, forKey: .node)
    names = try keys.either(.names, .otherNames) ?? []
    let detail: Detail? = try keys.either(.detail, .otherDetail)
    (isRefusal, refusal) = (detail != nil, detail?.message)
  }
}

extension KeyedDecodingContainer {
  fileprivate func either<Value: Decodable>(_ key: Key, _ other: Key) throws -> Value? {
    try decodeIfPresent(Value.self, forKey: key) ?? decodeIfPresent(Value.self, forKey: other)
  }
}
