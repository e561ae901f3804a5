/// Where requests of one workload may go: one server process.
package struct EndpointDocument: Codable, Hashable, Sendable {
  package var workload: String
  /// Nil where no plan is known that made it.
  package var segment: String?
  package var node: String
  package var zone: String?
  package var gpu: String
  package var profileId: Int
  package var start: Int
  /// UUID of the MIG device that the server runs on; nil where the node has not said it.
  package var uuid: String?
  /// Number of the server on its instance, from 0.
  package var ordinal: Int
  package var address: String
  /// Nil while the server has none.
  package var port: Int?
  /// Its share of the workload's requests beside the other servers that are ready, from 1.
  package var weight: Int
  /// `starting`, `ready`, `draining` or `gone`.
  package var state: String
  /// What its node last said of it, for example `unhealthy`; nil where the server was told by somebody else.
  package var reported: String?
  /// Why it gets no requests although its node says that it is healthy, for example `node_unreachable`.
  package var reason: String?
  /// Since when it has been in this state, RFC 3339.
  package var since: String

  package init(
    workload: String, segment: String?, node: String, zone: String?, gpu: String, profileId: Int, start: Int,
    uuid: String?, ordinal: Int, address: String, port: Int?, weight: Int, state: String, reported: String?,
    reason: String?, since: String
  ) {
    self.workload = workload
    self.segment = segment
    self.node = node
    self.zone = zone
    self.gpu = gpu
    self.profileId = profileId
    self.start = start
    self.uuid = uuid
    self.ordinal = ordinal
    self.address = address
    self.port = port
    self.weight = weight
    self.state = state
    self.reported = reported
    self.reason = reason
    self.since = since
  }
}

/// What `GET /v1/endpoints` answers.
package struct EndpointList: Codable, Hashable, Sendable {
  /// Changes with the contents: equal versions have equal endpoints.
  package var version: String
  package var endpoints: [EndpointDocument]

  package init(version: String, endpoints: [EndpointDocument]) {
    self.version = version
    self.endpoints = endpoints
  }
}

/// The servers of one segment that somebody else has started: the body of `PUT /v1/segments/{id}/endpoints`.
package struct ToldEndpoints: Codable, Hashable, Sendable {
  package struct Server: Codable, Hashable, Sendable {
    /// IP address or host name.
    package var address: String
    package var port: Int

    package init(address: String, port: Int) {
      self.address = address
      self.port = port
    }

    package init(from decoder: any Decoder) throws {
      let object = try decoder.object("address", "port")
      address = try object.decode(String.self, forKey: "address")
      port = try object.integer("port")
    }
  }

  package var endpoints: [Server]

  package init(endpoints: [Server]) { self.endpoints = endpoints }

  package init(from decoder: any Decoder) throws {
    endpoints = try decoder.object("endpoints").decode([Server].self, forKey: "endpoints")
  }
}
