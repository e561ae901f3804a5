package import ParvaWire

/// Reads what a controller answers of endpoints, for programs that put it into the files and commands of others: whatever
/// could mean something else there is refused.
package enum EndpointListReader {
  static let states: Set<String> = ["starting", "ready", "draining", "gone"]

  /// - Throws: every refusal found, each with its place.
  package static func read(_ source: InputSource) throws(InputErrors) -> EndpointList {
    let document = try InputDocument(source, limit: InputLimits.planBytes)
    let list = try document.decode(EndpointList.self)
    var refusals = Refusals()
    if list.version.isEmpty
      || !list.version.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x7a).contains($0) })
    {
      refusals.add(document.error(.invalidName, "a version is of 0-9 and a-z", at: ["version"], value: list.version))
    }
    for (index, endpoint) in list.endpoints.enumerated() {
      let place = ["endpoints", String(index)]
      if !Names.isWorkload(endpoint.workload) {
        refusals.add(
          document.error(
            .invalidName, "a workload's id is \(Names.workloadRule)", at: place + ["workload"],
            value: endpoint.workload))
      }
      if !ToldEndpointsReader.isHost(endpoint.address) {
        refusals.add(
          document.error(
            .invalidName, "an address is \(ToldEndpointsReader.hostRule)", at: place + ["address"],
            value: endpoint.address))
      }
      if let port = endpoint.port, !(1...65_535).contains(port) {
        refusals.add(
          document.error(.outOfRange, "a port is 1 to 65535", at: place + ["port"], value: String(port)))
      }
      if !(1..<(1 << 32)).contains(endpoint.weight) {
        refusals.add(
          document.error(
            .outOfRange, "a weight is 1 to 4294967295", at: place + ["weight"], value: String(endpoint.weight)))
      }
      if !states.contains(endpoint.state) {
        refusals.add(
          document.error(
            .invalidName, "a state is \(states.sorted().joined(separator: ", "))", at: place + ["state"],
            value: endpoint.state))
      }
    }
    try refusals.check()
    return list
  }
}
