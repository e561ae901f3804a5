package import Foundation
import Glibc
package import Logging
import ParvaHTTP
package import ParvaWire
import Synchronization

/// MPS daemons and servers on the instances of one node.
///
/// What a plan wants is compared with what runs each second; what differs is ended or started. Services outlive the
/// agent: each is on record before it begins, and the next run of the agent finds it by pid and start time.
package final class NodeServices: InstanceServices {
  package struct Configuration: Sendable {
    /// Records and logs go here.
    package var directory: URL
    /// Short folder for Unix sockets.
    package var runDirectory: URL
    /// nvidia-cuda-mps-control, or what stands in for it.
    package var mpsControl = "nvidia-cuda-mps-control"
    /// Without hardware a missing MPS is reported and not waited for.
    package var simulated: Bool
    /// The agent's control group is its own, so that services get groups below it.
    package var hasDelegatedGroup = false
    var timing = ServiceMachine.Timing()
    var logLimit = 10 << 20
    /// Services that are gone and whose logs are kept.
    var oldLogs = 64
    var environment = ProcessInfo.processInfo.environment

    package init(directory: URL, runDirectory: URL, simulated: Bool) {
      self.directory = directory
      self.runDirectory = runDirectory
      self.simulated = simulated
    }
  }

  struct State: Sendable {
    var units: [String: ServiceUnit] = [:]
    /// What is to run on which instances; nil from a release to the next `run`.
    var target: Target?
  }

  struct Target: Sendable {
    var wanted: WantedNode
    var owned: [OwnedInstance]
  }

  /// An answer that came while the queue did something else.
  enum News: Sendable {
    case probe(id: String, token: String, ServiceMachine.Probe, servers: [Int], configured: Bool)
    /// The daemon did not take the order to quit.
    case quitFailed(id: String, token: String, String)
  }

  let configuration: Configuration
  let store: ServiceStore
  let launches: LaunchPlan
  let groups: ControlGroups?
  let inherited: [String: String]
  let client = HealthProbe.client()
  let logger: Logger
  let inbox = Mutex<[News]>([])
  let wake: WakePipe
  private let state: Mutex<State>

  /// Takes up what an earlier run left; nothing is started or ended before the first `release` or `run`.
  package init(
    configuration: Configuration, bootID: String, logger: Logger = Logger(label: "parva.node.services")
  ) throws {
    self.configuration = configuration
    self.logger = logger
    store = try ServiceStore(directory: configuration.directory.appendingPathComponent("services"), bootID: bootID)
    let logs = configuration.directory.appendingPathComponent("logs")
    try FileManager.default.createDirectory(at: logs, withIntermediateDirectories: true)
    launches = LaunchPlan(
      mps: MPSPlan(
        program: configuration.mpsControl, runDirectory: configuration.runDirectory, logDirectory: logs))
    inherited = ServiceEnvironment.inherited(from: configuration.environment)
    wake = try WakePipe()
    var groups: ControlGroups?
    if configuration.hasDelegatedGroup {
      do throws(ControlGroups.Failure) {
        groups = try ControlGroups.delegated()
      } catch {
        logger.warning("services run without control groups", metadata: ["reason": "\(error)"])
      }
    }
    self.groups = groups
    var state = State()
    for record in store.records() {
      state.units[record.spec.id] = Self.unit(of: record, timing: configuration.timing)
    }
    self.state = Mutex(state)
  }

  private static func unit(of record: ServiceStore.Record, timing: ServiceMachine.Timing) -> ServiceUnit {
    let isAlive = record.process?.identity.isAlive == true
    let machine =
      isAlive
      ? ServiceMachine(adopting: timing, now: .now, restarts: record.restarts)
      : ServiceMachine(timing: timing, now: .now, restarts: record.restarts)
    return ServiceUnit(spec: record.spec, machine: machine, process: record.process)
  }

  /// Changes the state; on the agent's queue only, so that no lock is held while processes are started and ended.
  func mutate<Result>(_ body: (inout State) -> Result) -> Result {
    var copy = state.withLock { $0 }
    let result = body(&copy)
    state.withLock { $0 = copy }
    return result
  }

  package var pids: Set<Int> {
    let units = state.withLock { $0.units }
    return units.values.reduce(into: Set<Int>()) { pids, unit in
      for member in unit.members { pids.insert(member.pid) }
      for pid in groups?.pids(unit.spec.id) ?? [] { pids.insert(pid) }
    }
  }

  package var documents: [ServiceDocument] {
    let units = state.withLock { $0.units }
    return units.values.sorted { a, b in
      (a.spec.gpu, a.spec.place, a.spec.kind.rawValue, a.spec.ordinal)
        < (b.spec.gpu, b.spec.place, b.spec.kind.rawValue, b.spec.ordinal)
    }.map { unit in
      unit.document(pipeDirectory: unit.spec.kind == .mps ? launches.mps.pipeDirectory(unit.spec.uuid) : nil)
    }
  }

  package func release(exceptFor wanted: WantedNode) {
    mutate { state in
      state.target = nil
      for id in state.units.keys.sorted() {
        guard let spec = state.units[id]?.spec, self.spec(like: spec, in: wanted) != spec else { continue }
        state.units[id]?.isRetiring = true
      }
    }
    drain()
  }

  package func run(_ wanted: WantedNode, on owned: [OwnedInstance]) {
    mutate { $0.target = Target(wanted: wanted, owned: owned) }
    tick()
  }

  package func tick() {
    mutate { state in
      read(&state)
      reconcile(&state)
      advance(&state)
    }
    rotateLogs()
  }

  /// Returns when everything that retires is gone, or cannot be killed.
  private func drain() {
    while true {
      let isOver = mutate { state in
        read(&state)
        advance(&state)
        return state.units.values.allSatisfy { !$0.isRetiring || $0.machine.isStuck(at: .now) }
      }
      if isOver { return }
      waitForNews(upTo: .milliseconds(200))
    }
  }

  /// Returns when a service that is ending has ended, when an answer has come, or after the time given.
  func waitForNews(upTo limit: Duration) {
    let units = state.withLock { $0.units }
    let watched = units.values.filter { $0.isRetiring }.compactMap { $0.process?.identity.pid }
    wake.wait(for: watched, upTo: limit)
  }

  private func rotateLogs() {
    for unit in state.withLock({ $0.units }).values {
      for path in logs(of: unit.spec) { LogFile(path: path, limit: configuration.logLimit).rotateIfNeeded() }
    }
  }

  /// All files that a service writes, the one that says most of a failure first.
  func logs(of spec: ServiceSpec) -> [String] {
    let own = logPath(spec.id)
    guard spec.kind == .mps else { return [own] }
    let folder = launches.mps.logDirectory(spec.uuid)
    return ["\(folder)/server.log", "\(folder)/control.log", own]
  }

  func logPath(_ id: String) -> String {
    configuration.directory.appendingPathComponent("logs/\(id).log").path
  }
}
