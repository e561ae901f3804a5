/// What one node gets of a plan revision: the body of `POST /v1/apply`, and what a node keeps as its last verified plan.
///
/// It is the whole of what Parva wants on the node: an instance that Parva made and that is not listed goes.
package struct NodeAssignment: Codable, Hashable, Sendable {
  /// Revision of the plan, at least 0.
  package var revision: Int
  /// Which step on the way to that plan, at least 0; 0 where there is one step only.
  package var phase: Int
  package var gpus: [WantedGPU]

  package init(revision: Int, phase: Int = 0, gpus: [WantedGPU]) {
    self.revision = revision
    self.phase = phase
    self.gpus = gpus
  }

  package init(from decoder: any Decoder) throws {
    let object = try decoder.object("revision", "phase", "gpus")
    revision = try object.integer("revision")
    phase = try object.optionalInteger("phase") ?? 0
    gpus = try object.decode([WantedGPU].self, forKey: "gpus")
  }

  package func encode(to encoder: any Encoder) throws {
    var object = encoder.container(keyedBy: WireKey.self)
    try object.encode(revision, forKey: "revision")
    if phase > 0 { try object.encode(phase, forKey: "phase") }
    try object.encode(gpus, forKey: "gpus")
  }

  /// A node refuses what is older than the newest that it has accepted.
  package var version: AssignmentVersion { AssignmentVersion(revision: revision, phase: phase) }

  /// What is wanted at a place, if anything is.
  package func instance(gpu uuid: String, place: InstancePlace) -> WantedInstance? {
    gpus.first { $0.uuid == uuid }?.instances.first { $0.place == place }
  }
}

/// What a controller sends a node: an assignment, and in which term it leads.
package struct PushedAssignment: Codable, Hashable, Sendable {
  /// The code by which a node refuses a term before the latest that it has seen.
  package static let superseded = "term_superseded"

  package var wanted: NodeAssignment
  /// Grows from leader to leader; 0, which is not written, where there is one controller alone.
  package var term: Int

  package init(_ wanted: NodeAssignment, term: Int = 0) { (self.wanted, self.term) = (wanted, term) }

  package init(from decoder: any Decoder) throws {
    let object = try decoder.object("revision", "phase", "gpus", "term")
    wanted = NodeAssignment(
      revision: try object.integer("revision"), phase: try object.optionalInteger("phase") ?? 0,
      gpus: try object.decode([WantedGPU].self, forKey: "gpus"))
    term = try object.optionalInteger("term") ?? 0
  }

  package func encode(to encoder: any Encoder) throws {
    try wanted.encode(to: encoder)
    var object = encoder.container(keyedBy: WireKey.self)
    if term > 0 { try object.encode(term, forKey: "term") }
  }
}

/// Which assignment: of which plan, and which step on the way to it. A later one takes the place of an earlier one.
package struct AssignmentVersion: Hashable, Comparable, Sendable, CustomStringConvertible {
  package var revision: Int
  package var phase: Int

  package init(revision: Int, phase: Int = 0) {
    self.revision = revision
    self.phase = phase
  }

  package static func < (a: AssignmentVersion, b: AssignmentVersion) -> Bool {
    (a.revision, a.phase) < (b.revision, b.phase)
  }

  package var description: String { phase == 0 ? "\(revision)" : "\(revision), phase \(phase)" }
}

/// What is wanted on one GPU, named by the UUID that its driver reports.
package struct WantedGPU: Codable, Hashable, Sendable {
  package var uuid: String
  package var instances: [WantedInstance]

  package init(uuid: String, instances: [WantedInstance]) {
    self.uuid = uuid
    self.instances = instances
  }

  package init(from decoder: any Decoder) throws {
    let object = try decoder.object("uuid", "instances")
    uuid = try object.decode(String.self, forKey: "uuid")
    instances = try object.decode([WantedInstance].self, forKey: "instances")
  }
}

/// The key of a GPU instance on its GPU: driver profile id and first memory slice. Ids of instances and names of
/// profiles differ between drivers and boots; these two do not.
package struct InstancePlace: Codable, Hashable, Sendable, Comparable, CustomStringConvertible {
  package var profileID: Int
  package var start: Int

  package init(profileID: Int, start: Int) {
    self.profileID = profileID
    self.start = start
  }

  package init(from decoder: any Decoder) throws {
    let object = try decoder.container(keyedBy: WireKey.self)
    profileID = try object.profileID()
    start = try object.decode(Int.self, forKey: "start")
  }

  private enum CodingKeys: String, CodingKey {
    case profileID = "profileId"
    case start
  }

  package static func < (a: InstancePlace, b: InstancePlace) -> Bool {
    (a.profileID, a.start) < (b.profileID, b.start)
  }

  package var description: String { "profile \(profileID) at \(start)" }
}

/// One GPU instance with what is to run on it.
package struct WantedInstance: Codable, Hashable, Sendable {
  package var profileID: Int
  package var start: Int
  /// The plan's name of the segment, for logs and templates.
  package var segment: String?
  package var workload: String?
  package var model: String?
  package var batch: Int?
  /// Model instances that share the GPU instance: each is a server to launch, unless ``queue`` says that one server holds
  /// all. An MPS daemon is started for more than one server.
  package var processes: Int?
  /// Requests per second that the plan may give it; a note for whoever reads what stands.
  package var capacity: Double?
  package var mps: MPSSettings?
  package var launch: LaunchSpec?
  /// Whether one server holds all of ``processes`` behind one queue, or there is one for each.
  package var queue: Queue?

  package enum Queue: String, Codable, Hashable, Sendable {
    case shared, perProcess
  }

  package init(
    profileID: Int, start: Int, segment: String? = nil, workload: String? = nil, model: String? = nil,
    batch: Int? = nil, processes: Int? = nil, capacity: Double? = nil, mps: MPSSettings? = nil,
    launch: LaunchSpec? = nil, queue: Queue? = nil
  ) {
    self.profileID = profileID
    self.start = start
    self.segment = segment
    self.workload = workload
    self.model = model
    self.batch = batch
    self.processes = processes
    self.capacity = capacity
    self.mps = mps
    self.launch = launch
    self.queue = queue
  }

  package init(from decoder: any Decoder) throws {
    let object = try decoder.object(
      "profileId", "start", "segment", "workload", "model", "batch", "processes", "capacity", "mps", "launch",
      "queue")
    profileID = try object.integer("profileId")
    start = try object.integer("start")
    segment = try object.decodeIfPresent(String.self, forKey: "segment")
    workload = try object.decodeIfPresent(String.self, forKey: "workload")
    model = try object.decodeIfPresent(String.self, forKey: "model")
    batch = try object.optionalInteger("batch")
    processes = try object.optionalInteger("processes")
    capacity = try object.optionalNumber("capacity")
    mps = try object.decodeIfPresent(MPSSettings.self, forKey: "mps")
    launch = try object.decodeIfPresent(LaunchSpec.self, forKey: "launch")
    queue = try object.decodeIfPresent(Queue.self, forKey: "queue")
  }

  /// Servers that share the instance, or other clients where none are launched.
  package var servers: Int { queue == .shared ? 1 : processes ?? 1 }

  package var place: InstancePlace { InstancePlace(profileID: profileID, start: start) }

  private enum CodingKeys: String, CodingKey {
    case profileID = "profileId"
    case start, segment, workload, model, batch, processes, capacity, mps, launch, queue
  }
}

/// Settings of the MPS control daemon of one MIG device.
package struct MPSSettings: Codable, Hashable, Sendable {
  /// Default share of the instance's threads for one client, in percent, above 0 and at most 100.
  package var activeThreadPercentage: Double?
  /// Default limit of a client's device memory in MiB, at least 1.
  package var pinnedMemoryLimitMiB: Int?

  package init(activeThreadPercentage: Double? = nil, pinnedMemoryLimitMiB: Int? = nil) {
    self.activeThreadPercentage = activeThreadPercentage
    self.pinnedMemoryLimitMiB = pinnedMemoryLimitMiB
  }

  package init(from decoder: any Decoder) throws {
    let object = try decoder.object("activeThreadPercentage", "pinnedMemoryLimitMiB")
    activeThreadPercentage = try object.optionalNumber("activeThreadPercentage")
    pinnedMemoryLimitMiB = try object.optionalInteger("pinnedMemoryLimitMiB")
  }
}
