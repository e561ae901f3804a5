import Foundation
import Glibc
import Logging
import ParvaHTTP
import ParvaWire
import Synchronization

/// What is done to the processes of services and learnt of them: starts, questions, signals, logs. It decides nothing,
/// and what takes time is answered later, through ``takeNews()``.
final class ServiceProcesses: Sendable {
  /// An answer to a question that was asked before.
  enum News: Sendable {
    case probe(id: String, token: String, Health, mps: MPSAnswer?)
    /// The daemon did not take the order to quit.
    case quitFailed(id: String, token: String, String)
  }

  /// What a daemon says of itself.
  struct MPSAnswer: Sendable {
    var servers: [Int]
    /// Process ids of all clients; nil where nothing can be told of them.
    var clients: Set<Int>?
  }

  let store: ServiceStore
  let launches: LaunchPlan
  let inherited: [String: String]
  private let configuration: NodeServices.Configuration
  private let groups: ControlGroups?
  private let client = HealthProbe.client()
  private let logger: Logger
  private let inbox = Mutex<[News]>([])
  private let wake: WakePipe

  init(configuration: NodeServices.Configuration, bootID: String, logger: Logger) throws {
    self.configuration = configuration
    self.logger = logger
    store = try ServiceStore(directory: configuration.directory.appendingPathComponent("services"), bootID: bootID)
    let logs = configuration.directory.appendingPathComponent("logs")
    try FileManager.default.createDirectory(at: logs, withIntermediateDirectories: true)
    // Daemons of other users write below the folder of sockets: that of the logs is the agent's alone.
    let folders = [configuration.runDirectory, configuration.runDirectory.appendingPathComponent("mps")]
    if configuration.users != nil {
      for folder in folders {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        chmod(folder.path, 0o711)
      }
    }
    launches = LaunchPlan(
      mps: MPSPlan(
        program: configuration.mpsControl, runDirectory: configuration.runDirectory,
        logDirectory: configuration.users == nil ? logs : folders[1]))
    inherited = ServiceEnvironment.inherited(from: configuration.environment)
    wake = try WakePipe()
    var groups: ControlGroups?
    if configuration.hasDelegatedGroup {
      do throws(ControlGroups.Failure) {
        if let root = configuration.groupRoot {
          groups = try ControlGroups(at: root, holdsAgent: false)
        } else {
          groups = try ControlGroups.delegated()
        }
      } catch {
        logger.warning("services run without control groups", metadata: ["reason": "\(error)"])
      }
    }
    self.groups = groups
  }

  // MARK: - Learning

  /// The answers that came since the last call.
  func takeNews() -> [News] {
    inbox.withLock { inbox in
      defer { inbox = [] }
      return inbox
    }
  }

  private func post(_ news: News) {
    inbox.withLock { $0.append(news) }
    wake.ring()
  }

  /// Returns when one of these processes has ended, when an answer has come, or after the time given.
  func waitForNews(beside pids: [Int], upTo limit: Duration) { wake.wait(for: pids, upTo: limit) }

  /// Processes of a service, those in its control group included.
  func pids(of unit: ServiceUnit) -> Set<Int> {
    Set(unit.members.map(\.pid)).union(groups?.pids(unit.spec.id) ?? [])
  }

  /// What is left of the service, and how its first process ended where that is known.
  func look(at unit: inout ServiceUnit) -> (ServiceMachine.Sight, exit: String?) {
    guard let process = unit.process else { return (.absent, nil) }
    var exit: String?
    if unit.isChild, let code = Spawn.poll(pid_t(process.identity.pid)) {
      unit.isChild = false
      exit = code < 128 ? "ended with status \(code)" : "ended by signal \(code - 128)"
    }
    if process.identity.isAlive { return (.alive, nil) }
    if !unit.machine.isStopping {
      let line = logs(of: unit.spec).lazy.compactMap { LogTail.lastLine($0) }.first
      exit = (exit ?? "ended") + (line.map { ": \($0)" } ?? "")
    }
    if !unit.members.isEmpty { return (.strays, exit) }
    unit.process = nil
    unit.isChild = false
    unit.servers = []
    return (.absent, exit)
  }

  /// Why there is no MPS to start on a device, and whether nothing is missed by that; nil where there is one.
  func obstacle(toMPSOn uuid: String) -> (reason: String, isAbsent: Bool)? {
    let plan = launches.mps
    if plan.pipeDirectory(uuid).utf8.count > MPSPlan.pathLimit {
      return ("\(plan.pipeDirectory(uuid)) is too long for a Unix socket: name a shorter --run-dir", false)
    }
    if plan.found(path: inherited["PATH"] ?? "") != nil { return nil }
    return configuration.simulated
      ? ("simulated: \(plan.program) is not here, so no MPS daemon was started", true)
      : ("\(plan.program) is not here: install it or name it with --mps-control", false)
  }

  private static func owner(_ path: String) -> Int? {
    var found = stat()
    return lstat(path, &found) == 0 ? Int(found.st_uid) : nil
  }

  // MARK: - Starting

  func start(_ unit: inout ServiceUnit, mpsToken: String?) {
    let spec = unit.spec
    do {
      if spec.kind == .mps {
        for folder in [launches.mps.pipeDirectory(spec.uuid), launches.mps.logDirectory(spec.uuid)] {
          // What the daemon of another user has left there this one could not write.
          if let user = spec.user, let owner = Self.owner(folder), owner != user {
            try FileManager.default.removeItem(atPath: folder)
          }
          try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
          if let user = spec.user, chown(folder, uid_t(user), gid_t(user)) != 0 { throw Spawn.Failure(errno: errno) }
        }
      }
      let token = UUID().uuidString
      let output = try LogFile(path: logPath(spec.id)).open()
      defer { close(output) }
      var environment = inherited.merging(spec.env) { $1 }
      environment[RunningProcess.variable] = token
      let gated = try Spawn.startGated(
        spec.command, spec.args, environment: environment, output: output, workdir: spec.workdir, user: spec.user)
      guard let identity = ProcessIdentity.current(Int(gated.pid)) else {
        gated.abandon()
        throw Spawn.Failure(errno: ESRCH)
      }
      let process = RunningProcess(identity: identity, token: token, mpsToken: mpsToken)
      unit.note = limit(spec, pid: identity.pid)
      do throws(AtomicFile.Failure) {
        try store.save(spec, process: process, restarts: unit.machine.restarts)
      } catch {
        gated.abandon()
        throw error
      }
      gated.open()
      unit.process = process
      unit.isChild = true
      unit.isAsked = false
      unit.isConfigured = false
      unit.machine.started(at: .now)
      logger.info("started", metadata: ["service": "\(spec.id)", "pid": "\(identity.pid)"])
    } catch let failure as Spawn.Failure {
      unit.machine.startFailed("cannot be started: \(String(cString: strerror(failure.errno)))", at: .now)
    } catch let failure as AtomicFile.Failure {
      unit.machine.startFailed(
        "\(failure.path) cannot be written: \(failure.reason)", at: .now)
    } catch {
      unit.machine.startFailed("cannot be started: \(error.localizedDescription)", at: .now)
    }
  }

  /// What of the limits asked for does not hold, for a process that is about to begin, or that runs since an earlier run of
  /// the agent where no pid is given.
  func limit(_ spec: ServiceSpec, pid: Int? = nil) -> String? {
    guard let groups else {
      return spec.limits == nil ? nil : "its limits do not hold: the agent has no delegated control group"
    }
    let missed =
      pid.map { groups.admit($0, as: spec.id, limits: spec.limits) } ?? groups.limit(spec.id, spec.limits)
    return missed.isEmpty || spec.limits == nil ? nil : "its limits do not hold: \(missed.joined(separator: ", "))"
  }

  // MARK: - Asking

  func ask(_ unit: inout ServiceUnit) {
    guard !unit.isAsked, let token = unit.process?.token else { return }
    unit.isAsked = true
    let id = unit.spec.id
    if unit.spec.kind == .mps {
      let control = launches.mps.control(unit.spec.uuid, base: inherited)
      let settings = unit.isConfigured ? nil : unit.spec.mps
      DispatchQueue.global().async { [self] in
        do throws(MPSControl.Failure) {
          let servers = try control.servers()
          if let settings { try control.configure(settings) }
          var clients: Set<Int> = []
          for server in servers { clients.formUnion(try control.clients(of: server)) }
          // Without hardware nobody is a client, unless a stand-in says so.
          let isTold = !configuration.simulated || !servers.isEmpty
          let answer = MPSAnswer(servers: servers, clients: isTold ? clients : nil)
          post(.probe(id: id, token: token, .healthy(inFlight: nil), mps: answer))
        } catch {
          post(.probe(id: id, token: token, .unhealthy(error.description, inFlight: nil), mps: nil))
        }
      }
    } else if let port = unit.spec.port {
      let probe = HealthProbe(port: port, path: unit.spec.health)
      Task { [self] in
        post(.probe(id: id, token: token, await probe.ask(client), mps: nil))
      }
    }
  }

  // MARK: - Ending

  func terminate(_ unit: ServiceUnit) {
    guard unit.spec.kind == .mps, let token = unit.process?.token else { return signal(unit, SIGTERM) }
    let control = launches.mps.control(unit.spec.uuid, base: inherited)
    let (id, seconds) = (unit.spec.id, unit.spec.stopTimeout)
    DispatchQueue.global().async { [self] in
      do throws(MPSControl.Failure) {
        try control.quit(within: seconds)
      } catch {
        post(.quitFailed(id: id, token: token, error.description))
      }
    }
  }

  func kill(_ unit: ServiceUnit) {
    logger.warning(
      "killed", metadata: ["service": "\(unit.spec.id)", "reason": "\(unit.machine.message ?? "its time is over")"])
    signal(unit, SIGKILL)
    groups?.kill(unit.spec.id)
  }

  /// To every process that is the service's, each checked to be the one that is meant.
  func signal(_ unit: ServiceUnit, _ number: Int32) {
    for member in unit.members where member.isAlive { _ = Glibc.kill(pid_t(member.pid), number) }
  }

  func forget(_ unit: ServiceUnit) {
    logger.info("ended", metadata: ["service": "\(unit.spec.id)"])
    store.remove(unit.spec.id)
    groups?.remove(unit.spec.id)
    if unit.spec.kind == .mps {
      try? FileManager.default.removeItem(atPath: launches.mps.pipeDirectory(unit.spec.uuid))
    }
  }

  // MARK: - Logs

  /// All files that a service writes, the one that says most of a failure first.
  private func logs(of spec: ServiceSpec) -> [String] {
    let own = logPath(spec.id)
    guard spec.kind == .mps else { return [own] }
    let folder = launches.mps.logDirectory(spec.uuid)
    return ["\(folder)/server.log", "\(folder)/control.log", own]
  }

  private func logPath(_ id: String) -> String {
    configuration.directory.appendingPathComponent("logs/\(id).log").path
  }

  func rotateLogs(of specs: [ServiceSpec]) {
    for path in specs.flatMap(logs(of:)) { LogFile(path: path, limit: configuration.logLimit).rotateIfNeeded() }
  }

  /// Logs of services that are gone stay for a while: the newest of them, for those who ask what happened.
  func pruneLogs(beside ids: some Collection<String>) {
    LogFolder(path: configuration.directory.appendingPathComponent("logs").path).prune(
      keeping: Set(ids), andNewest: configuration.oldLogs)
  }
}
