package import ParvaWire

/// Lists endpoints for a person.
package enum EndpointPicture {
  /// Lines joined and ended by line feeds.
  package static func text(_ list: EndpointList, style: TextStyle) -> String {
    guard !list.endpoints.isEmpty else { return "There is no server.\n" }
    var table = TextTable([
      ("workload", .left), ("segment", .left), ("node", .left), ("address", .left), ("weight", .right),
      ("state", .left),
      ("since", .left),
    ])
    for endpoint in list.endpoints {
      table.add([
        endpoint.workload, endpoint.segment ?? "-", endpoint.node, HostPort.text(endpoint.address, endpoint.port),
        String(endpoint.weight), endpoint.state + (endpoint.reason.map { " (\($0))" } ?? ""), endpoint.since,
      ])
    }
    return table.lines(style).joined(separator: "\n") + "\n"
  }
}
