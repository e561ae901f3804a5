import Foundation
import Glibc
import Logging
import ParvaHTTP
import ParvaWire
import Synchronization

/// Carrying out what the machines say.
extension NodeServices {
  /// Takes in the answers that came since the last look.
  func read(_ state: inout State) {
    let news = inbox.withLock { inbox in
      defer { inbox = [] }
      return inbox
    }
    for item in news {
      switch item {
      case .probe(let id, let token, let probe, let servers, let configured):
        guard var unit = state.units[id], unit.process?.token == token else { continue }
        unit.isAsked = false
        unit.servers = servers
        unit.isConfigured = unit.isConfigured || configured
        unit.machine.probed(probe, at: .now)
        state.units[id] = unit
      case .quitFailed(let id, let token, let reason):
        guard let unit = state.units[id], unit.process?.token == token else { continue }
        logger.warning("an MPS daemon does not quit and is told by signal", metadata: ["reason": "\(reason)"])
        signal(unit, SIGTERM)
      }
    }
  }

  private func post(_ news: News) {
    inbox.withLock { $0.append(news) }
    wake.ring()
  }

  /// One step for every service: daemons before their servers, so that both can come up in one look.
  func advance(_ state: inout State) {
    let order = state.units.values.sorted {
      ($0.spec.kind == .mps ? 0 : 1, $0.spec.id) < ($1.spec.kind == .mps ? 0 : 1, $1.spec.id)
    }
    var hasEnded = false
    for id in order.map(\.spec.id) {
      guard var unit = state.units[id] else { continue }
      advance(&unit, beside: state)
      if unit.machine.phase == .gone {
        state.units[id] = nil
        forget(unit)
        hasEnded = true
      } else {
        state.units[id] = unit
      }
    }
    if hasEnded { pruneLogs(beside: state.units.keys) }
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
    let (sight, exit) = look(at: &unit)
    // Before the first `run`, and while an apply is under way, it is not known which devices are there.
    if sight == .absent, case .waiting = unit.machine.phase, state.target == nil, !unit.isRetiring { return }
    if sight == .absent, case .waiting = unit.machine.phase, let reason = obstacle(to: &unit, daemon) {
      unit.machine.waits(for: reason)
      return
    }
    let action = unit.machine.advance(
      at: .now, sight, probed: unit.spec.isProbed, stopTimeout: stopTimeout, exit: exit)
    switch action {
    case nil: break
    case .start: start(&unit, mpsToken: daemon?.process?.token)
    case .probe: ask(&unit)
    case .terminate: terminate(unit)
    case .kill: kill(unit)
    }
  }

  /// Why a service that is not there cannot be started now.
  private func obstacle(to unit: inout ServiceUnit, _ daemon: ServiceUnit?) -> String? {
    if unit.isRetiring { return nil }
    if unit.spec.kind == .server { return daemon.flatMap { $0.isReady ? nil : "waits for the MPS daemon" } }
    let plan = launches.mps
    unit.isAbsent = false
    if plan.pipeDirectory(unit.spec.uuid).utf8.count > MPSPlan.pathLimit {
      return "\(plan.pipeDirectory(unit.spec.uuid)) is too long for a Unix socket: name a shorter --run-dir"
    }
    if plan.found(path: inherited["PATH"] ?? "") != nil { return nil }
    unit.isAbsent = configuration.simulated
    return configuration.simulated
      ? "simulated: \(plan.program) is not here, so no MPS daemon was started"
      : "\(plan.program) is not here: install it or name it with --mps-control"
  }

  /// What is left of the service, and how its first process ended where that is known.
  private func look(at unit: inout ServiceUnit) -> (ServiceMachine.Sight, exit: String?) {
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

  // MARK: - Starting

  private func start(_ unit: inout ServiceUnit, mpsToken: String?) {
    let spec = unit.spec
    do {
      if spec.kind == .mps {
        for folder in [launches.mps.pipeDirectory(spec.uuid), launches.mps.logDirectory(spec.uuid)] {
          try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        }
      }
      let token = UUID().uuidString
      let output = try LogFile(path: logPath(spec.id)).open()
      defer { close(output) }
      var environment = inherited.merging(spec.env) { $1 }
      environment[RunningProcess.variable] = token
      let gated = try Spawn.startGated(
        spec.command, spec.args, environment: environment, output: output, workdir: spec.workdir)
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
        "\(failure.path) cannot be written: \(String(cString: strerror(failure.errno)))", at: .now)
    } catch {
      unit.machine.startFailed("cannot be started: \(error.localizedDescription)", at: .now)
    }
  }

  /// What of the limits asked for does not hold.
  private func limit(_ spec: ServiceSpec, pid: Int) -> String? {
    guard let groups else {
      return spec.limits == nil ? nil : "its limits do not hold: the agent has no delegated control group"
    }
    let missed = groups.admit(pid, as: spec.id, limits: spec.limits)
    return missed.isEmpty || spec.limits == nil ? nil : "its limits do not hold: \(missed.joined(separator: ", "))"
  }

  // MARK: - Asking

  private func ask(_ unit: inout ServiceUnit) {
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
          post(.probe(id: id, token: token, .healthy(inFlight: nil), servers: servers, configured: true))
        } catch {
          post(
            .probe(
              id: id, token: token, .unhealthy(error.description, inFlight: nil), servers: [], configured: false))
        }
      }
    } else if let port = unit.spec.port {
      let probe = HealthProbe(port: port, path: unit.spec.health)
      let client = client
      Task { [self] in
        post(.probe(id: id, token: token, await probe.ask(client), servers: [], configured: false))
      }
    }
  }

  // MARK: - Ending

  private func terminate(_ unit: ServiceUnit) {
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

  private func kill(_ unit: ServiceUnit) {
    logger.warning(
      "killed", metadata: ["service": "\(unit.spec.id)", "reason": "\(unit.machine.message ?? "its time is over")"])
    signal(unit, SIGKILL)
    groups?.kill(unit.spec.id)
  }

  /// To every process that is the service's, each checked to be the one that is meant.
  private func signal(_ unit: ServiceUnit, _ number: Int32) {
    for member in unit.members where member.isAlive { _ = Glibc.kill(pid_t(member.pid), number) }
  }

  private func forget(_ unit: ServiceUnit) {
    logger.info("ended", metadata: ["service": "\(unit.spec.id)"])
    store.remove(unit.spec.id)
    groups?.remove(unit.spec.id)
    if unit.spec.kind == .mps {
      try? FileManager.default.removeItem(atPath: launches.mps.pipeDirectory(unit.spec.uuid))
    }
  }

  /// Logs of services that are gone stay for a while: the newest of them, for those who ask what happened.
  func pruneLogs(beside units: some Collection<String>) {
    LogFolder(path: configuration.directory.appendingPathComponent("logs").path).prune(
      keeping: Set(units), andNewest: configuration.oldLogs)
  }
}
