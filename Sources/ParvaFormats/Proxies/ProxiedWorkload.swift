package import ParvaWire

/// The servers of one workload as proxies are told of them that read files and commands.
package struct ProxiedWorkload: Hashable, Sendable {
  package enum State: Int, Comparable, Hashable, Sendable {
    /// Gets nothing: it starts, or is gone.
    case down
    /// Gets nothing new.
    case draining
    case ready

    package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
  }

  package struct Server: Hashable, Sendable {
    package var address: String
    package var port: Int
    /// From 1.
    package var weight: Int
    package var state: State

    /// As URLs and configurations have it.
    package var hostPort: String { HostPort.text(address, port) }
  }

  package var id: String
  /// Each address and port once, in the order of the list.
  package var servers: [Server]

  package init(id: String, servers: [Server]) {
    self.id = id
    self.servers = servers
  }

  /// By id: the servers of the list that have a port. A place that is taken anew may stand there twice under one address;
  /// such two are one server, in the better of their states.
  ///
  /// - Parameter ids: workloads that are to be there even without a server.
  package static func all(_ list: EndpointList, ids: some Sequence<String> = []) -> [ProxiedWorkload] {
    var servers = Dictionary(ids.map { ($0, [Server]()) }, uniquingKeysWith: { first, _ in first })
    var places: [String: [String: Int]] = [:]
    for endpoint in list.endpoints {
      guard let port = endpoint.port else {
        servers[endpoint.workload, default: []] += []
        continue
      }
      let state: State =
        switch endpoint.state {
        case "ready": .ready
        case "draining": .draining
        default: .down
        }
      let server = Server(address: endpoint.address, port: port, weight: endpoint.weight, state: state)
      if let index = places[endpoint.workload]?[server.hostPort] {
        servers[endpoint.workload]?[index].add(server)
      } else {
        places[endpoint.workload, default: [:]][server.hostPort] = servers[endpoint.workload]?.count ?? 0
        servers[endpoint.workload, default: []].append(server)
      }
    }
    return servers.sorted { $0.key < $1.key }.map { ProxiedWorkload(id: $0.key, servers: $0.value) }
  }
}

extension ProxiedWorkload.Server {
  fileprivate mutating func add(_ other: Self) {
    if other.state > state {
      (state, weight) = (other.state, other.weight)
    } else if other.state == state {
      weight += other.weight
    }
  }
}
