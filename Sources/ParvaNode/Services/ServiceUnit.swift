import ParvaWire

/// One service with its life so far.
struct ServiceUnit: Sendable {
  var spec: ServiceSpec
  var machine: ServiceMachine
  /// Kept until all of its processes are gone.
  var process: RunningProcess?
  /// Started by this run of the agent, which then learns how it ends.
  var isChild = false
  /// No longer wanted. A daemon's stop waits for its servers'.
  var isRetiring = false
  /// A question about its health is under way.
  var isAsked = false
  /// MPS: whether the settings were read back in this run.
  var isConfigured = false
  /// MPS: what the daemon has started, as it says.
  var servers: [Int] = []
  /// There is no MPS to start, and without hardware none is needed.
  var isAbsent = false
  /// What could not be done for it, though it runs.
  var note: String?
  /// Why it may not share its device as it is meant to.
  var mpsNote: String?

  init(spec: ServiceSpec, machine: ServiceMachine) {
    self.spec = spec
    self.machine = machine
  }

  /// What an earlier run of the agent left.
  init(_ record: ServiceStore.Record, timing: ServiceMachine.Timing) {
    let isAlive = record.process?.identity.isAlive == true
    machine =
      isAlive
      ? ServiceMachine(adopting: timing, now: .now, restarts: record.restarts)
      : ServiceMachine(timing: timing, now: .now, restarts: record.restarts)
    spec = record.spec
    process = record.process
  }

  /// Its processes, as far as they can be found.
  var members: Set<ProcessIdentity> {
    var members = process?.members ?? []
    for pid in servers { if let server = ProcessIdentity.current(pid) { members.insert(server) } }
    return members
  }

  /// Whether its clients can be started.
  var isReady: Bool { !isRetiring && (machine.isHealthy || isAbsent) }

  func document(pipeDirectory: String?) -> ServiceDocument {
    ServiceDocument(
      kind: spec.kind.rawValue, gpu: spec.gpu, profileId: spec.place.profileID, start: spec.place.start,
      uuid: spec.uuid, ordinal: spec.ordinal, workload: spec.workload, pid: process?.identity.pid, port: spec.port,
      pipeDirectory: pipeDirectory, status: isRetiring ? "stopping" : isAbsent ? "absent" : machine.status,
      restarts: machine.restarts, message: machine.message ?? mpsNote ?? note)
  }
}
