package import Foundation
package import Logging
import ParvaFormats
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
    /// Stands in for that group in tests.
    var groupRoot: URL?
    /// User ids for the services, one for each MIG device with what runs on it; nil runs them as the agent's user.
    package var users: ClosedRange<Int>?
    var timing = ServiceMachine.Timing()
    var logLimit = 10 << 20
    /// Services that are gone and whose logs are kept.
    var oldLogs = 64
    var environment = ProcessInfo.processInfo.environment
    /// Called when a service has come to another status or process, or is gone: what the node shows has changed.
    package var onChange: @Sendable () -> Void = {}

    package init(directory: URL, runDirectory: URL, simulated: Bool) {
      self.directory = directory
      self.runDirectory = runDirectory
      self.simulated = simulated
    }
  }

  struct State: Sendable {
    var units: [String: ServiceUnit] = [:]
    /// What is to run on which instances; nil from a release to the next `run`.
    var target: (wanted: NodeAssignment, owned: [OwnedInstance])?
  }

  let processes: ServiceProcesses
  private let timing: ServiceMachine.Timing
  private let users: ClosedRange<Int>?
  private let onChange: @Sendable () -> Void
  private let logger: Logger
  /// Held for one step at a time: steps start and signal processes, so nothing else waits for this lock.
  private let state: Mutex<State>
  /// What the last step left, for those who must not wait for the next.
  private let shown: Mutex<[ServiceDocument]>

  /// Takes up what an earlier run left; nothing is started or ended before the first `release` or `run`.
  package init(
    configuration: Configuration, bootID: String, logger: Logger = Logger(label: "parva.node.services")
  ) throws {
    self.logger = logger
    timing = configuration.timing
    users = configuration.users
    onChange = configuration.onChange
    processes = try ServiceProcesses(configuration: configuration, bootID: bootID, logger: logger)
    var state = State()
    for record in try processes.store.records() {
      var unit = ServiceUnit(record, timing: timing)
      if unit.process?.identity.isAlive == true { unit.note = processes.limit(unit.spec) }
      _ = unit.look(at: Date())
      state.units[record.spec.id] = unit
    }
    shown = Mutex(Self.documents(state, processes.launches.mps))
    self.state = Mutex(state)
  }

  private func step<Result: Sendable>(_ body: (inout State) -> Result) -> Result {
    let (result, isNews) = state.withLock { state in
      let before = Set(state.units.keys)
      let result = body(&state)
      let now = Date()
      var isNews = !before.isSubset(of: state.units.keys)
      for id in state.units.keys where state.units[id]?.look(at: now) == true { isNews = true }
      let documents = Self.documents(state, processes.launches.mps)
      shown.withLock { $0 = documents }
      return (result, isNews)
    }
    if isNews { onChange() }
    return result
  }

  private static func documents(_ state: State, _ mps: MPSPlan) -> [ServiceDocument] {
    state.units.values.sorted { a, b in
      (a.spec.gpu, a.spec.place, a.spec.kind.rawValue, a.spec.ordinal)
        < (b.spec.gpu, b.spec.place, b.spec.kind.rawValue, b.spec.ordinal)
    }.map { $0.document(pipeDirectory: $0.spec.kind == .mps ? mps.pipeDirectory($0.spec.uuid) : nil) }
  }

  package var documents: [ServiceDocument] { shown.withLock { $0 } }

  package var pids: Set<Int> {
    let units = state.withLock { $0.units }
    return units.values.reduce(into: Set<Int>()) { $0.formUnion(processes.pids(of: $1)) }
  }

  package func release(exceptFor wanted: NodeAssignment) {
    step { state in
      state.target = nil
      for (id, unit) in state.units where spec(like: unit.spec, in: wanted) != unit.spec {
        state.units[id]?.isRetiring = true
      }
    }
    drain()
  }

  package func run(_ wanted: NodeAssignment, on owned: [OwnedInstance]) {
    step { $0.target = (wanted, owned) }
    tick()
  }

  package func tick() {
    let specs = step { state in
      read(&state)
      reconcile(&state)
      advance(&state)
      return state.units.values.map(\.spec)
    }
    processes.rotateLogs(of: specs)
  }

  /// Returns when everything that retires is gone, or cannot be killed.
  private func drain() {
    while true {
      let isOver = step { state in
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
    let retiring = state.withLock { $0.units.values.filter { $0.isRetiring }.compactMap { $0.process?.identity.pid } }
    processes.waitForNews(beside: retiring, upTo: limit)
  }

  // MARK: - What is wanted against what runs

  /// The service in the place of `spec` as `wanted` has it: on the same MIG device, with the same number, and on the same
  /// port where that may stay. Nil when there is none.
  private func spec(like spec: ServiceSpec, in wanted: NodeAssignment) -> ServiceSpec? {
    guard let instance = wanted.instance(gpu: spec.gpu, place: spec.place) else { return nil }
    var found = plain(like: spec, of: instance)
    found?.user = users?.contains(spec.user ?? -1) == true ? spec.user : nil
    return (users == nil) == (spec.user == nil) ? found : nil
  }

  private func plain(like spec: ServiceSpec, of instance: WantedInstance) -> ServiceSpec? {
    switch spec.kind {
    case .mps: return processes.launches.mps.daemon(of: instance, gpu: spec.gpu, uuid: spec.uuid)
    case .server:
      guard let launch = instance.launch, spec.ordinal < LaunchPlan.count(instance) else { return nil }
      let port = launch.port.flatMap { base in spec.port.flatMap { $0 >= base ? $0 : nil } ?? base }
      return try? processes.launches.server(
        spec.ordinal, of: instance, launch: launch, gpu: spec.gpu, uuid: spec.uuid, port: port)
    }
  }

  /// Retires what the target does not have and adds what is missing.
  private func reconcile(_ state: inout State) {
    guard let target = state.target else { return }
    for (id, unit) in state.units {
      let stands = target.owned.contains {
        $0.gpu == unit.spec.gpu && $0.place == unit.spec.place && $0.uuid == unit.spec.uuid
      }
      let isWanted = stands && spec(like: unit.spec, in: target.wanted) == unit.spec
      if !isWanted {
        state.units[id]?.isRetiring = true
      } else if unit.isRetiring {
        state.units[id]?.isRetiring = false
        state.units[id]?.machine.revive(at: .now)
      }
    }
    for owned in target.owned.sorted(by: { ($0.gpu, $0.place) < ($1.gpu, $1.place) }) {
      guard let uuid = owned.uuid, let instance = target.wanted.instance(gpu: owned.gpu, place: owned.place) else {
        continue
      }
      if let daemon = processes.launches.mps.daemon(of: instance, gpu: owned.gpu, uuid: uuid) {
        add(daemon, to: &state)
      }
      guard let launch = instance.launch else { continue }
      for ordinal in 0..<LaunchPlan.count(instance) {
        addServer(ordinal, of: instance, launch: launch, gpu: owned.gpu, uuid: uuid, to: &state)
      }
    }
  }

  /// A unit with this id that is still there is another's to end; what is missing then comes with the next look.
  private func add(_ spec: ServiceSpec, to state: inout State) {
    if state.units[spec.id] != nil { return }
    var spec = spec
    if let users {
      guard let user = user(of: spec.uuid, in: state, users) else {
        logger.error("no user is free", metadata: ["service": "\(spec.id)", "users": "\(users)"])
        return
      }
      spec.user = user
    }
    state.units[spec.id] = ServiceUnit(spec: spec, machine: ServiceMachine(timing: timing, now: .now))
  }

  /// The user of a MIG device: that of what runs there, or the first that no other device has. A daemon serves one user.
  private func user(of uuid: String, in state: State, _ users: ClosedRange<Int>) -> Int? {
    var taken: Set<Int> = []
    for unit in state.units.values {
      guard let user = unit.spec.user else { continue }
      if unit.spec.uuid == uuid { return user }
      taken.insert(user)
    }
    return users.first { !taken.contains($0) }
  }

  private func addServer(
    _ ordinal: Int, of instance: WantedInstance, launch: LaunchSpec, gpu: String, uuid: String,
    to state: inout State
  ) {
    if state.units["server-\(uuid)-\(ordinal)"] != nil { return }
    var port: Int?
    if let base = launch.port {
      port = LaunchPlan.freePort(from: base, beside: Set(state.units.values.compactMap { $0.spec.port }))
      if port == nil {
        logger.error("no port is free", metadata: ["from": "\(base)", "workload": "\(instance.workload ?? "")"])
        return
      }
    }
    do throws(LaunchTemplate.Refusal) {
      add(
        try processes.launches.server(ordinal, of: instance, launch: launch, gpu: gpu, uuid: uuid, port: port),
        to: &state)
    } catch {
      logger.error("a launch cannot be read", metadata: ["reason": "\(error)"])
    }
  }

  // MARK: - One step for each

  /// Takes in the answers that came since the last look.
  private func read(_ state: inout State) {
    for item in processes.takeNews() {
      switch item {
      case .probe(let id, let token, let health, let mps):
        guard var unit = state.units[id], unit.process?.token == token else { continue }
        unit.isAsked = false
        unit.servers = mps?.servers ?? []
        unit.isConfigured = unit.isConfigured || mps != nil
        unit.machine.probed(health, at: .now)
        state.units[id] = unit
        if let clients = mps?.clients { compare(clients, of: unit, &state) }
      case .quitFailed(let id, let token, let reason):
        guard let unit = state.units[id], unit.process?.token == token else { continue }
        logger.warning("an MPS daemon does not quit and is told by signal", metadata: ["reason": "\(reason)"])
        processes.signal(unit, SIGTERM)
      }
    }
  }

  /// A CUDA program that cannot reach its daemon goes on without it, which nothing else shows.
  private func compare(_ clients: Set<Int>, of daemon: ServiceUnit, _ state: inout State) {
    for (id, unit) in state.units where unit.spec.kind == .server && unit.spec.uuid == daemon.spec.uuid {
      let isClient = !unit.machine.isHealthy || unit.members.contains { clients.contains($0.pid) }
      state.units[id]?.mpsNote =
        isClient ? nil : "not among the clients of its MPS daemon: it has not used the GPU yet, or runs without MPS"
    }
  }

  /// Daemons before their servers, so that both can come up in one look.
  private func advance(_ state: inout State) {
    let order = state.units.values.sorted {
      ($0.spec.kind == .mps ? 0 : 1, $0.spec.id) < ($1.spec.kind == .mps ? 0 : 1, $1.spec.id)
    }
    var hasEnded = false
    for id in order.map(\.spec.id) {
      guard var unit = state.units[id] else { continue }
      advance(&unit, beside: state)
      if unit.machine.phase == .gone {
        state.units[id] = nil
        processes.forget(unit)
        hasEnded = true
      } else {
        state.units[id] = unit
      }
    }
    if hasEnded { processes.pruneLogs(beside: state.units.keys) }
  }

  private func advance(_ unit: inout ServiceUnit, beside state: State) {
    let stopTimeout = Duration.seconds(unit.spec.stopTimeout)
    if unit.isRetiring && !unit.machine.isStopping {
      // A daemon goes after its servers, which are its clients, but for one that cannot be ended.
      let hasClients =
        unit.spec.kind == .mps
        && state.units.values.contains {
          $0.spec.kind == .server && $0.spec.uuid == unit.spec.uuid && !$0.machine.isStuck(at: .now)
        }
      if !hasClients { unit.machine.stop(at: .now, within: stopTimeout) }
    }
    let daemon = unit.spec.kind == .server ? state.units["mps-\(unit.spec.uuid)"] : nil
    if let process = unit.process, let now = daemon?.process?.token, process.mpsToken != now {
      unit.machine.stop(
        at: .now, within: stopTimeout, then: .start, because: "its MPS daemon was restarted, and so is it")
    }
    let (sight, exit) = processes.look(at: &unit)
    if sight == .absent, case .waiting = unit.machine.phase, !unit.isRetiring {
      // Before the first `run`, and while an apply is under way, it is not known which devices are there.
      if state.target == nil { return }
      if let reason = obstacle(to: &unit, daemon) {
        unit.machine.waits(for: reason)
        return
      }
    }
    let action = unit.machine.advance(
      at: .now, sight, probed: unit.spec.isProbed, stopTimeout: stopTimeout, exit: exit)
    switch action {
    case nil: break
    case .start:
      leaveTakenPort(&unit, in: state)
      processes.start(&unit, mpsToken: daemon?.process?.token)
    case .probe: processes.ask(&unit)
    case .terminate: processes.terminate(unit)
    case .kill: processes.kill(unit)
    }
  }

  /// Why a service that is not there cannot be started now.
  private func obstacle(to unit: inout ServiceUnit, _ daemon: ServiceUnit?) -> String? {
    if unit.spec.kind == .server { return daemon.flatMap { $0.isReady ? nil : "waits for the MPS daemon" } }
    let obstacle = processes.obstacle(toMPSOn: unit.spec.uuid)
    unit.isAbsent = obstacle?.isAbsent ?? false
    return obstacle?.reason
  }
}
