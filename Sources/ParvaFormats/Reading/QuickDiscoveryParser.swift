import Foundation

/// Reads the question that an Envoy asks again and again in one pass, stepping over the tens of kilobytes that it says of
/// itself, and gives up on everything unusual, which the general way judges.
enum QuickDiscoveryParser {
  /// Nil where the general way has to look. O(bytes).
  static func shape(_ data: Data) -> DiscoveryShape? {
    QuickJSON.read(data) { json throws(QuickJSON.Unusual) in try json.question() }
  }
}

extension QuickJSON {
  fileprivate mutating func question() throws(Unusual) -> DiscoveryShape {
    var shape = DiscoveryShape()
    var names: [String]?
    try object { json, key throws(Unusual) in
      switch key {
      case "version_info": try Self.fill(&shape.version, with: try json.string())
      case "type_url": try Self.fill(&shape.type, with: try json.string())
      case "node": try Self.fill(&shape.node, with: try json.node())
      case "resource_names":
        var list: [String] = []
        try json.array { json throws(Unusual) in list.append(try json.string()) }
        try Self.fill(&names, with: list)
      // The other form of a name, or a refusal.
      case "versionInfo", "typeUrl", "resourceNames", "error_detail", "errorDetail": throw Unusual()
      default: try json.skip()
      }
    }
    shape.names = names ?? []
    return shape
  }

  private mutating func node() throws(Unusual) -> DiscoveryShape.Node {
    var node = DiscoveryShape.Node()
    try object { json, key throws(Unusual) in
      switch key {
      case "id": try Self.fill(&node.id, with: try json.string())
      case "cluster": try Self.fill(&node.cluster, with: try json.string())
      case "metadata": try Self.fill(&node.metadata, with: try json.metadata())
      default: try json.skip()
      }
    }
    return node
  }

  private mutating func metadata() throws(Unusual) -> DiscoveryShape.Node.Metadata {
    var metadata = DiscoveryShape.Node.Metadata()
    try object { json, key throws(Unusual) in
      if key == "parva" {
        try Self.fill(&metadata.parva, with: try json.parva())
      } else {
        try json.skip()
      }
    }
    return metadata
  }

  private mutating func parva() throws(Unusual) -> DiscoveryShape.Node.Metadata.Parva {
    var parva = DiscoveryShape.Node.Metadata.Parva()
    try object { json, key throws(Unusual) in
      switch key {
      case "listen_address": try Self.fill(&parva.address, with: try json.string())
      case "listen_port": try Self.fill(&parva.port, with: try json.number())
      case "listenAddress", "listenPort": throw Unusual()
      default: try json.skip()
      }
    }
    return parva
  }
}
