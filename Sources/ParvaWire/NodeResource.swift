/// A registered node as the controller shows it.
package struct NodeResource: Codable, Hashable, Sendable {
  package struct Status: Codable, Hashable, Sendable {
    /// `pending` (never heard), `ready`, `unreachable`, `lost`, `cordoned`, `maintenance` or `draining`.
    package var state: String
    package var lastHeartbeat: String?
    /// True when no hardware is behind the node; nil until it was heard.
    package var simulated: Bool?
    package var driverVersion: String?
    package var verifiedRevision: Int?
    /// Whether what the node has verified, under whichever revision, is what the current plan wants of it; nil while no
    /// plan is bound to nodes.
    package var matchesPlan: Bool?
    /// Why the GPUs are known to differ from that revision.
    package var degraded: String?
    /// GPUs that plans may use.
    package var usableGPUs: Int
    package var gpus: [GPU]
    /// MPS daemons and servers that the node keeps, and how many of them are not healthy.
    package var services: Int
    package var unhealthyServices: Int
    /// `in_service`, `cordoned` or `maintenance`, as an operator has said; the state tells of a silent node first.
    package var duty: String
    package var conditions: [ConditionDocument]
    /// Errors that its GPUs reported since the agent began; nil where the driver tells of none.
    package var faults: [GPUFaultDocument]?

    package init(
      state: String, lastHeartbeat: String?, simulated: Bool?, driverVersion: String?, verifiedRevision: Int?,
      matchesPlan: Bool? = nil, degraded: String?, usableGPUs: Int, gpus: [GPU], services: Int, unhealthyServices: Int,
      duty: String = "in_service", conditions: [ConditionDocument] = [], faults: [GPUFaultDocument]? = nil
    ) {
      self.duty = duty
      self.conditions = conditions
      self.faults = faults
      self.state = state
      self.lastHeartbeat = lastHeartbeat
      self.simulated = simulated
      self.driverVersion = driverVersion
      self.verifiedRevision = verifiedRevision
      self.matchesPlan = matchesPlan
      self.degraded = degraded
      self.usableGPUs = usableGPUs
      self.gpus = gpus
      self.services = services
      self.unhealthyServices = unhealthyServices
    }
  }

  package struct GPU: Codable, Hashable, Sendable {
    package var index: Int
    package var uuid: String
    package var board: String
    /// Parva's name of the product, from the tables or from what the driver reports.
    package var product: String?
    package var pool: String?
    package var memoryMiB: Int?
    /// Memory slices of the whole GPU; nil where its product is not known.
    package var memorySlices: Int?
    /// `enabled`, `disabled`, `pending` (waits for a reset) or `none`.
    package var migMode: String
    package var usable: Bool
    /// Code and sentence why plans leave it out.
    package var reason: String?
    package var message: String?
    package var instances: [Instance]

    package init(
      index: Int, uuid: String, board: String, product: String?, pool: String?, memoryMiB: Int?, memorySlices: Int?,
      migMode: String,
      usable: Bool, reason: String?, message: String?, instances: [Instance]
    ) {
      self.index = index
      self.uuid = uuid
      self.board = board
      self.product = product
      self.pool = pool
      self.memoryMiB = memoryMiB
      self.memorySlices = memorySlices
      self.migMode = migMode
      self.usable = usable
      self.reason = reason
      self.message = message
      self.instances = instances
    }
  }

  package struct Instance: Codable, Hashable, Sendable {
    package var profile: String
    package var profileId: Int
    package var start: Int
    package var size: Int
    package var uuid: String?
    /// Whether Parva made it; plans leave out GPUs with others.
    package var owned: Bool
    /// What runs there by the last verified plan.
    package var workload: String?

    package init(profile: String, profileId: Int, start: Int, size: Int, uuid: String?, owned: Bool, workload: String?)
    {
      self.profile = profile
      self.profileId = profileId
      self.start = start
      self.size = size
      self.uuid = uuid
      self.owned = owned
      self.workload = workload
    }
  }

  package var name: String
  package var address: String
  package var hasWebhookSecret: Bool
  package var webhookSecretRef: String?
  package var zone: String?
  package var labels: [String: String]
  package var revision: Int
  package var createdAt: String
  package var updatedAt: String
  package var status: Status

  package init(
    name: String, address: String, hasWebhookSecret: Bool, webhookSecretRef: String?, zone: String?,
    labels: [String: String], revision: Int, createdAt: String, updatedAt: String, status: Status
  ) {
    self.name = name
    self.address = address
    self.hasWebhookSecret = hasWebhookSecret
    self.webhookSecretRef = webhookSecretRef
    self.zone = zone
    self.labels = labels
    self.revision = revision
    self.createdAt = createdAt
    self.updatedAt = updatedAt
    self.status = status
  }
}

/// What `GET /v1/nodes` answers.
package struct NodeList: Codable, Hashable, Sendable {
  package var nodes: [NodeResource]
  /// What to send as `cursor` for the next page; null on the last, as in every list.
  package var nextCursor: String?

  package init(nodes: [NodeResource], nextCursor: String? = nil) {
    self.nodes = nodes
    self.nextCursor = nextCursor
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(nodes, forKey: .nodes)
    try container.encode(nextCursor, forKey: .nextCursor)
  }
}

/// What a heartbeat is answered.
package struct HeartbeatAnswer: Codable, Hashable, Sendable {
  /// State of the node as ``NodeResource/Status/state`` has it.
  package var state: String
  /// Seconds until the next heartbeat is expected.
  package var heartbeatSeconds: Double

  package init(state: String, heartbeatSeconds: Double) {
    self.state = state
    self.heartbeatSeconds = heartbeatSeconds
  }
}
