import Foundation
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
  /// What was last seen of it that others act on, and when that came to be.
  private(set) var seen: (condition: Condition, since: Date)?

  /// What a change of makes others act: one sends no requests to a server that is not healthy, or to an earlier process.
  struct Condition: Hashable, Sendable {
    var status: String
    var pid: Int?
  }

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

  private var status: String { isRetiring ? "stopping" : isAbsent ? "absent" : machine.status }

  /// Takes note of how it is now; answers whether that is news.
  mutating func look(at now: Date) -> Bool {
    let condition = Condition(status: status, pid: process?.identity.pid)
    if seen?.condition == condition { return false }
    seen = (condition, now)
    return true
  }

  func document(pipeDirectory: String?) -> ServiceDocument {
    ServiceDocument(
      kind: spec.kind.rawValue, gpu: spec.gpu, profileId: spec.place.profileID, start: spec.place.start,
      uuid: spec.uuid, ordinal: spec.ordinal, workload: spec.workload, pid: process?.identity.pid, port: spec.port,
      pipeDirectory: pipeDirectory, status: status,
      since: seen.map { Date.ISO8601FormatStyle(includingFractionalSeconds: true).format($0.since) },
      restarts: machine.restarts, message: machine.message ?? mpsNote ?? note)
  }
}
