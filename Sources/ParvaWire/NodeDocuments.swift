/// What `GET /v1/state` of a node answers, and what its heartbeats carry.
package struct NodeStateDocument: Codable, Hashable, Sendable {
  package var name: String
  /// True when no hardware is behind it.
  package var simulated: Bool
  package var observed: ObservedNode
  /// Nil on a node that never applied a plan.
  package var verified: VerifiedDocument?
  /// The newest revision that the node has accepted: it takes none before it, whatever came of it.
  package var accepted: Int?
  /// The latest term of a leading controller that the node has seen: it takes nothing of one before it. Nil on a node that
  /// was never told any.
  package var term: Int?
  /// What Parva made on the GPUs that answer.
  package var owned: [OwnedDocument]
  /// GPUs that do not answer, with what is on record there; nil means none.
  package var lost: [LostDocument]?
  package var services: [ServiceDocument]
  /// Errors that the GPUs reported since the agent began; nil where the driver tells of none.
  package var faults: [GPUFaultDocument]?
  /// Id of the operation that runs now.
  package var operation: String?
  /// Whether the agent turns MIG mode on where a plan needs it; nil means no.
  package var managesMIGMode: Bool?

  package init(
    name: String, simulated: Bool, observed: ObservedNode, verified: VerifiedDocument?, accepted: Int? = nil,
    term: Int? = nil, owned: [OwnedDocument], lost: [LostDocument]? = nil, services: [ServiceDocument],
    faults: [GPUFaultDocument]? = nil, operation: String?,
    managesMIGMode: Bool? = nil
  ) {
    self.name = name
    self.simulated = simulated
    self.observed = observed
    self.verified = verified
    self.accepted = accepted
    self.term = term
    self.owned = owned
    self.lost = lost
    self.services = services
    self.faults = faults
    self.operation = operation
    self.managesMIGMode = managesMIGMode
  }
}

/// Errors of one kind that one GPU or instance reported.
package struct GPUFaultDocument: Codable, Hashable, Sendable {
  package var gpu: String
  /// NVIDIA's number of the error, for example 79: the GPU has fallen off the bus.
  package var xid: Int
  /// The GPU instance that it struck; nil for the whole GPU.
  package var instance: Int?
  package var count: Int
  /// When the last one came, RFC 3339.
  package var last: String

  package init(gpu: String, xid: Int, instance: Int?, count: Int, last: String) {
    self.gpu = gpu
    self.xid = xid
    self.instance = instance
    self.count = count
    self.last = last
  }
}

/// The last plan revision that was read back as wanted.
package struct VerifiedDocument: Codable, Hashable, Sendable {
  package var revision: Int
  /// Which step on the way to that revision; nil where there is one step only.
  package var phase: Int?
  /// Why the GPUs are known to differ from it; nil when they are not.
  package var degraded: String?

  package init(_ version: AssignmentVersion, degraded: String? = nil) {
    revision = version.revision
    phase = version.phase == 0 ? nil : version.phase
    self.degraded = degraded
  }

  package init(revision: Int, degraded: String? = nil) {
    self.init(AssignmentVersion(revision: revision), degraded: degraded)
  }

  package var version: AssignmentVersion { AssignmentVersion(revision: revision, phase: phase ?? 0) }
}

/// One instance that Parva made.
package struct OwnedDocument: Codable, Hashable, Sendable {
  package var gpu: String
  package var profileId: Int
  package var start: Int
  package var instance: Int
  package var uuid: String?

  package init(gpu: String, profileId: Int, start: Int, instance: Int, uuid: String?) {
    self.gpu = gpu
    self.profileId = profileId
    self.start = start
    self.instance = instance
    self.uuid = uuid
  }
}

/// A GPU that does not answer, with the instances that Parva made there.
package struct LostDocument: Codable, Hashable, Sendable {
  package var gpu: String
  /// What the driver answers instead, for example `gpu_is_lost`.
  package var code: String
  package var instances: [OwnedDocument]

  package init(gpu: String, code: String, instances: [OwnedDocument]) {
    self.gpu = gpu
    self.code = code
    self.instances = instances
  }
}

/// One MPS daemon or server process that the node keeps.
package struct ServiceDocument: Codable, Hashable, Sendable {
  /// `mps` or `server`.
  package var kind: String
  package var gpu: String
  package var profileId: Int
  package var start: Int
  package var uuid: String
  /// Number of the server on its instance, from 0.
  package var ordinal: Int
  package var workload: String?
  package var pid: Int?
  /// Where a server listens.
  package var port: Int?
  /// What clients of an MPS daemon set as CUDA_MPS_PIPE_DIRECTORY.
  package var pipeDirectory: String?
  /// `starting`, `healthy`, `unhealthy`, `stopping`, `waiting` (for the next start), `failed`, or `absent` where a
  /// simulated node has no MPS to start.
  package var status: String
  /// When the process came to this status, RFC 3339, as this run of the agent has seen it; nil from an older agent.
  package var since: String?
  package var restarts: Int
  /// What is wrong, with the last line of its log.
  package var message: String?

  /// Whether something is wrong with it, or it is not up yet. What a simulated node has not is not missed.
  package var isUnhealthy: Bool { status != "healthy" && status != "absent" }

  package init(
    kind: String, gpu: String, profileId: Int, start: Int, uuid: String, ordinal: Int, workload: String? = nil,
    pid: Int?, port: Int? = nil, pipeDirectory: String? = nil, status: String, since: String? = nil,
    restarts: Int, message: String?
  ) {
    self.kind = kind
    self.gpu = gpu
    self.profileId = profileId
    self.start = start
    self.uuid = uuid
    self.ordinal = ordinal
    self.workload = workload
    self.pid = pid
    self.port = port
    self.pipeDirectory = pipeDirectory
    self.status = status
    self.since = since
    self.restarts = restarts
    self.message = message
  }
}

/// What `GET /v1/operations/{id}` of a node answers.
package struct NodeOperationDocument: Codable, Hashable, Sendable {
  package enum Status: String, Codable, Sendable, CaseIterable {
    case queued, running
    /// The wanted state stands and was read back, but for what `lost` names.
    case verified
    /// A step failed; the state before stands and was read back.
    case rolledBack = "rolled_back"
    /// Nothing was touched; `problems` says why.
    case refused
    /// A step failed and so did the way back.
    case stuck
    /// A newer revision came before this one began.
    case superseded
    /// The node could not keep its own records.
    case failed

    package var isOver: Bool { self != .queued && self != .running }
  }

  package struct Step: Codable, Hashable, Sendable {
    package var gpu: String
    package var description: String
    package var done: Bool

    package init(gpu: String, description: String, done: Bool) {
      self.gpu = gpu
      self.description = description
      self.done = done
    }
  }

  package struct Problem: Codable, Hashable, Sendable {
    package var code: String
    package var gpu: String
    package var message: String
    package var pid: Int?
    package var process: String?

    package init(code: String, gpu: String, message: String, pid: Int? = nil, process: String? = nil) {
      self.code = code
      self.gpu = gpu
      self.message = message
      self.pid = pid
      self.process = process
    }
  }

  package struct Failure: Codable, Hashable, Sendable {
    package var code: String
    package var detail: String
    /// The step that failed, in words.
    package var step: String?

    package init(code: String, detail: String, step: String? = nil) {
      self.code = code
      self.detail = detail
      self.step = step
    }
  }

  package var id: String
  /// `apply`, `resume` (after a crash) or `restore` (of the last verified plan).
  package var kind: String
  package var revision: Int
  /// Which step on the way to that revision; nil where there is one step only.
  package var phase: Int?
  package var status: Status
  package var simulated: Bool
  package var steps: [Step]
  package var failure: Failure?
  package var problems: [Problem]
  /// GPUs that did not answer and were left as they are; nil means none.
  package var lost: [LostDocument]?

  package init(
    id: String, kind: String, revision: Int, phase: Int? = nil, status: Status, simulated: Bool, steps: [Step] = [],
    failure: Failure? = nil, problems: [Problem] = [], lost: [LostDocument]? = nil
  ) {
    self.id = id
    self.kind = kind
    self.revision = revision
    self.phase = phase
    self.status = status
    self.simulated = simulated
    self.steps = steps
    self.failure = failure
    self.problems = problems
    self.lost = lost
  }

  package var version: AssignmentVersion { AssignmentVersion(revision: revision, phase: phase ?? 0) }
}
