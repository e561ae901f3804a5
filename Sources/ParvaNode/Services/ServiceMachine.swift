/// The life of one service as a state machine: told what is seen of it, it says what to do next. It does no I/O and asks
/// no clock.
struct ServiceMachine: Sendable {
  typealias Instant = ContinuousClock.Instant

  struct Timing: Sendable {
    var probeInterval = Duration.seconds(1)
    /// While the service comes up or drains, when an answer is awaited.
    var eagerProbeInterval = Duration.milliseconds(250)
    /// Loading a model may take minutes.
    var startTimeout = Duration.seconds(600)
    /// Failed probes in a row after which a service that was healthy no longer is.
    var failures = 3
    /// How long it may then stay so before it is restarted.
    var unhealthyTimeout = Duration.seconds(60)
    /// Healthy for so long, its earlier crashes are forgotten.
    var stable = Duration.seconds(60)
    /// Before the first restart, doubled each time.
    var firstPause = Duration.seconds(1)
    var longestPause = Duration.seconds(60)
    /// Crashes in a row after which it counts as failed and is tried at `failedPause` only.
    var crashes = 8
    var failedPause = Duration.seconds(600)
    /// What cannot be killed is given up, and named.
    var killTimeout = Duration.seconds(10)
  }

  /// What is seen of its processes.
  enum Sight: Sendable {
    case alive
    /// The first process is gone and others that it started are not.
    case strays
    case absent
  }

  enum Action: Hashable, Sendable {
    case start
    case probe
    /// Ask it to finish what it has and to end.
    case terminate
    /// End all of its processes now.
    case kill
  }

  enum Phase: Hashable, Sendable {
    case waiting(until: Instant)
    case starting(since: Instant)
    case healthy(since: Instant)
    case unhealthy(since: Instant)
    case stopping(Stop)
    case gone
  }

  /// What follows a stop.
  enum Sequel: Hashable, Sendable {
    case gone
    /// Started again at once, since nothing was wrong with it.
    case start
    /// Started again as after a crash.
    case restart
  }

  struct Stop: Hashable, Sendable {
    var deadline: Instant
    var sequel: Sequel
    var killed: Instant?
    /// Answers in a row that nothing is under way any more.
    var idle = 0
    var told = false
  }

  let timing: Timing
  private(set) var phase: Phase
  private(set) var restarts: Int
  /// Crashes in a row.
  private(set) var crashes = 0
  /// What was last wrong; nil while all is well.
  private(set) var message: String?
  private var failures = 0
  private var nextProbe: Instant

  /// A service to be started at once.
  init(timing: Timing, now: Instant, restarts: Int = 0) {
    self.timing = timing
    self.restarts = restarts
    phase = .waiting(until: now)
    nextProbe = now
  }

  /// A service that an earlier run of the agent started and that still runs.
  init(adopting timing: Timing, now: Instant, restarts: Int) {
    self.init(timing: timing, now: now, restarts: restarts)
    phase = .starting(since: now)
  }

  var status: String {
    switch phase {
    case .waiting: crashes == 0 ? "starting" : crashes < timing.crashes ? "waiting" : "failed"
    case .starting: "starting"
    case .healthy: "healthy"
    case .unhealthy: "unhealthy"
    case .stopping, .gone: "stopping"
    }
  }

  var isHealthy: Bool { if case .healthy = phase { true } else { false } }
  var isStopping: Bool { if case .stopping(let stop) = phase { stop.sequel == .gone } else { phase == .gone } }
  /// Killed long ago and still there.
  func isStuck(at now: Instant) -> Bool {
    if case .stopping(let stop) = phase, let killed = stop.killed { now - killed > timing.killTimeout } else { false }
  }

  /// What to do now. `probed` says whether health can be asked for; without, being there is being healthy.
  mutating func advance(
    at now: Instant, _ sight: Sight, probed: Bool, stopTimeout: Duration, exit: String? = nil
  ) -> Action? {
    switch phase {
    case .gone: return nil
    case .waiting(let until):
      if sight != .absent { return .kill }
      return now >= until ? .start : nil
    case .starting(let since), .healthy(let since), .unhealthy(let since):
      if sight != .alive {
        crashed(exit ?? "the process ended", at: now)
        return sight == .strays ? .kill : nil
      }
      if !probed && !isHealthy { becomeHealthy(at: now) }
      if case .starting = phase, now - since > timing.startTimeout {
        stop(at: now, within: stopTimeout, then: .restart, because: "not ready within \(timing.startTimeout)")
      } else if case .unhealthy = phase, now - since > timing.unhealthyTimeout {
        stop(at: now, within: stopTimeout, then: .restart, because: "\(message ?? "unhealthy"); restarted")
      } else if isHealthy && now - since > timing.stable {
        crashes = 0
      }
      if case .stopping = phase { return advance(at: now, sight, probed: probed, stopTimeout: stopTimeout) }
      return probed ? probe(at: now, isHealthy ? timing.probeInterval : timing.eagerProbeInterval) : nil
    case .stopping(var stop):
      if sight == .absent {
        switch stop.sequel {
        case .gone: phase = .gone
        case .start: phase = .waiting(until: now)
        case .restart: crashed(message ?? "restarted", at: now)
        }
        return nil
      }
      if !stop.told {
        stop.told = true
        phase = .stopping(stop)
        return .terminate
      }
      if now >= stop.deadline {
        if let killed = stop.killed, now - killed < timing.eagerProbeInterval { return nil }
        stop.killed = stop.killed ?? now
        phase = .stopping(stop)
        return .kill
      }
      return probed ? probe(at: now, timing.eagerProbeInterval) : nil
    }
  }

  private mutating func probe(at now: Instant, _ interval: Duration) -> Action? {
    if now < nextProbe { return nil }
    nextProbe = now + interval
    return .probe
  }

  private mutating func becomeHealthy(at now: Instant) {
    phase = .healthy(since: now)
    failures = 0
    message = nil
  }

  private mutating func crashed(_ reason: String, at now: Instant) {
    crashes += 1
    restarts += 1
    message = reason
    let doubled = timing.firstPause * Double(1 << min(crashes - 1, 16))
    phase = .waiting(until: now + (crashes < timing.crashes ? min(doubled, timing.longestPause) : timing.failedPause))
  }

  mutating func started(at now: Instant) {
    phase = .starting(since: now)
    nextProbe = now
    failures = 0
    // What it waited for has come; why it crashed is worth knowing until it is well.
    if crashes == 0 { message = nil }
  }

  mutating func startFailed(_ reason: String, at now: Instant) { crashed(reason, at: now) }

  /// What was asked for while it waits for something else, so that a person sees what.
  mutating func waits(for reason: String?) { message = reason }

  mutating func probed(_ health: Health, at now: Instant) {
    switch (phase, health) {
    case (.starting, .healthy), (.unhealthy, .healthy): becomeHealthy(at: now)
    case (.starting, .unhealthy(let reason, _)): message = reason
    case (.healthy, .healthy): failures = 0
    case (.healthy, .unhealthy(let reason, _)):
      failures += 1
      if failures >= timing.failures {
        phase = .unhealthy(since: now)
        message = reason
      }
    case (.unhealthy, .unhealthy(let reason, _)): message = reason
    case (.stopping(var stop), .healthy(let inFlight)), (.stopping(var stop), .unhealthy(_, let inFlight)):
      stop.idle = inFlight == 0 ? stop.idle + 1 : 0
      message = inFlight.map { "\($0) requests under way" } ?? message
      // Twice, so that a request that came between the last answer and the signal is not lost.
      if stop.idle >= 2 { stop.deadline = min(stop.deadline, now) }
      phase = .stopping(stop)
    case (.waiting, _), (.gone, _): break
    }
  }

  /// Ends it within `timeout`. A stop for good is not turned into a restart by a later one.
  mutating func stop(
    at now: Instant, within timeout: Duration, then sequel: Sequel = .gone, because reason: String? = nil
  ) {
    if let reason { message = reason }
    switch phase {
    case .gone: return
    case .waiting:
      if sequel == .gone { phase = .stopping(Stop(deadline: now, sequel: .gone)) }
    case .stopping(var stop):
      if sequel == .gone { stop.sequel = .gone }
      phase = .stopping(stop)
    case .starting, .healthy, .unhealthy:
      phase = .stopping(Stop(deadline: now + timeout, sequel: sequel))
      nextProbe = now
    }
  }

  /// Wanted again before it was gone.
  mutating func revive(at now: Instant) {
    switch phase {
    case .stopping(var stop):
      stop.sequel = .start
      phase = .stopping(stop)
    case .gone: phase = .waiting(until: now)
    default: break
    }
  }
}
