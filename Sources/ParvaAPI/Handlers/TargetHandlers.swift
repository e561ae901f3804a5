import Foundation
import ParvaControl
import ParvaFormats
import ParvaHTTP

/// `/v1/prometheus-targets`: what a Prometheus is to read, by its HTTP service discovery.
struct TargetHandlers: Sendable {
  let nodes: NodeRegistry
  let traffic: TrafficBoard

  /// The controller as the client reached it, every node's agent, and every server that has a port. Servers come and go with
  /// the nodes' words, so what a controller that was just started remembers of them is told, too.
  func get(_ request: HTTPRequest) throws -> HTTPResponse {
    try request.allowQuery()
    try request.acceptsJSON()
    var writer = DocumentWriter(.json)
    writer.array { groups in
      if let host = request.headers["Host"] { Self.write(host, [("parva_kind", "controller")], &groups) }
      for node in nodes.trafficState.records.sorted(by: { $0.name < $1.name }) {
        let url = URLComponents(string: node.address)
        let scheme = url?.scheme?.lowercased() ?? "http"
        let port = url?.port ?? (scheme == "https" ? 443 : 80)
        Self.write(
          HostPort.text(node.trafficHost, port),
          [
            ("__scheme__", scheme), ("parva_kind", "agent"), ("parva_node", node.name), ("parva_zone", node.zone ?? ""),
          ], &groups)
      }
      for endpoint in traffic.view.table.endpoints {
        guard let port = endpoint.port else { continue }
        Self.write(
          HostPort.text(endpoint.address, port),
          [
            ("__scheme__", "http"), ("parva_kind", "server"), ("parva_node", endpoint.key.node),
            ("parva_zone", endpoint.zone ?? ""), ("parva_workload", endpoint.workload),
            ("parva_segment", endpoint.segment ?? ""), ("parva_mig_uuid", endpoint.uuid ?? ""),
          ], &groups)
      }
    }
    writer.finish()
    return HTTPResponse(status: 200, contentType: "application/json", body: Data(writer.bytes))
  }

  private static func write(_ target: String, _ labels: [(String, String)], _ groups: inout DocumentWriter) {
    groups.object(inline: true) { group in
      group.array("targets") { $0.element(target) }
      group.object("labels") { list in
        for (name, value) in labels where !value.isEmpty { list.entry(name, value) }
      }
    }
  }
}
