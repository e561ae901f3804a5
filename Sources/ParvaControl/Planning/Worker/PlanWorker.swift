import Foundation
import Glibc
package import ParvaEngine
import ParvaServing
import Synchronization

/// Plans in a process of its own, so that a planner's trap, greed or endless loop ends that process and nothing else.
///
/// The process lives on between jobs, since what it has worked out of capacities makes the next one quick; it is started
/// when there is a job and none, and killed when it breaks a limit. It ends by itself when its stream does, that is with
/// this process at the latest.
package final class PlanWorker: PlanningBackend {
  package struct Settings: Sendable {
    /// The program and the words that make it a planning process.
    package var program: String
    package var arguments: [String]
    /// `KEY=VALUE` beside this process's environment.
    package var environment: [String] = []
    /// Memory that the process may hold, in MiB.
    package var memoryMiB: Int
    /// How long a job may take beyond its patience, which begins when the planner has a first plan.
    package var grace = Duration.seconds(60)
    /// How long a process without jobs is kept; nil for always.
    package var idleLimit: Duration?

    /// This very program, also where its file was replaced meanwhile; half of the machine's memory.
    package init(program: String = "/proc/self/exe", arguments: [String] = ["plan-worker"]) {
      self.program = program
      self.arguments = arguments
      memoryMiB = max(1024, (Int(sysconf(Int32(_SC_PHYS_PAGES))) * Int(getpagesize())) >> 21)
    }
  }

  /// A process, and what it was told that still holds.
  private struct Running {
    var process: WorkerProcess
    var isFresh = true
    /// Whether it knows of capacities what others have found out.
    var isTold = false
    var profiles: ProfileCatalogue?
    var traces: [String: ArrivalRecording]?
    var memory = PlanningMemory()
    var jobs = 0
  }

  private struct State {
    var isStopped = false
    /// Only the queue changes it; under the lock, so that ``stop()`` never signals a process that was reaped.
    var running: Running?
    /// Whether the next process is not told what others have found out: one that was told came to nothing.
    var distrusts = false
  }

  private let settings: Settings
  private let known: @Sendable () -> [CapacityFacts]
  private let onFound: @Sendable (_ changes: CapacityChanges, _ trials: Int) -> Void
  private let onEnd: @Sendable (_ end: WorkerEnd, _ isInJob: Bool) -> Void
  private let state = Mutex(State())
  /// A thread of its own waits for the process, so that Swift's threads stay free for requests.
  private let queue = WorkQueue("parva.planning", yields: true)

  /// - Parameters:
  ///   - known: what is known of capacities; asked for each process that is started.
  ///   - onFound: called with what a job has found out of them, and how often a load was tried for it.
  ///   - onEnd: called for each process that ended without being told to, in a job or between two.
  package init(
    _ settings: Settings, known: @escaping @Sendable () -> [CapacityFacts] = { [] },
    onFound: @escaping @Sendable (_ changes: CapacityChanges, _ trials: Int) -> Void = { _, _ in },
    onEnd: @escaping @Sendable (_ end: WorkerEnd, _ isInJob: Bool) -> Void = { _, _ in }
  ) {
    self.settings = settings
    self.known = known
    self.onFound = onFound
    self.onEnd = onEnd
  }

  deinit { _ = retire() }

  package func plan(_ job: PlanningJob) async throws(PlanningFailure) -> Plan {
    try await queue.run { () throws(PlanningFailure) in try self.perform(job) }
  }

  /// The process there is at this moment.
  var processID: pid_t? { state.withLock { $0.running?.process.pid } }

  package func stop() {
    state.withLock { state in
      state.isStopped = true
      state.running?.process.kill()
    }
    queue.add { [self] in _ = retire() }
  }

  // MARK: - On the queue

  /// The judge knows nothing of what others have found out. So where a process that was told of it gives a plan that is refused,
  /// another one that is not told plans once more; where that plan stands, what was told were lies.
  private func perform(_ job: PlanningJob) throws(PlanningFailure) -> Plan {
    do throws(PlanningFailure) {
      let (plan, news) = try attempt(job)
      onFound(CapacityChanges(facts: news.facts), news.trials)
      return plan
    } catch {
      guard case .refused = error, state.withLock({ $0.running?.isTold ?? false }) else { throw error }
      _ = retire()
      state.withLock { $0.distrusts = true }
      let (plan, news) = try attempt(job)
      onFound(CapacityChanges(forgetsOthers: true, facts: news.facts), news.trials)
      return plan
    }
  }

  private func attempt(_ job: PlanningJob) throws(PlanningFailure) -> (Plan, CapacityNews) {
    var running = try ready()
    var message: [UInt8] = []
    if running.isFresh {
      let distrusts = state.withLock { state in
        defer { state.distrusts = false }
        return state.distrusts
      }
      let known = distrusts ? [] : known()
      running.isTold = !known.isEmpty
      if running.isTold { message += Self.frame(.capacities) { PlanningCodec.write(known, to: &$0) } }
    }
    if running.profiles != job.input.profiles {
      message += Self.frame(.profiles) { PlanningCodec.write(job.input.profiles, to: &$0) }
      running.profiles = job.input.profiles
    }
    if running.traces != job.input.traces {
      message += Self.frame(.traces) { PlanningCodec.write(job.input.traces, to: &$0) }
      running.traces = job.input.traces
    }
    message += Self.frame(.job) { [memory = running.memory] in PlanningCodec.write(job, after: memory, to: &$0) }
    running.memory.workloads = job.input.workloads
    let isFresh = running.isFresh
    running.isFresh = false
    running.jobs += 1
    let told = running
    state.withLock { $0.running = told }
    let exchange = WorkerExchange(
      running.process, memoryMiB: settings.memoryMiB, seconds: (job.patience + settings.grace).seconds)
    do throws(WorkerExchange.Failure) {
      let (kind, body) = try exchange.run(message)
      let answer = try Self.answer(kind, body, to: job)
      state.withLock { $0.running?.memory.gpus = answer.plan.gpus }
      retireWhenIdle(after: running.jobs, process: running.process.pid)
      return answer
    } catch {
      switch error {
      case .refused(let fault): throw .refused(fault)
      case .hungUp: throw ended(nil, running, isFresh: isFresh)
      case .broke(let end): throw ended(end, running, isFresh: isFresh)
      }
    }
  }

  private static func frame(_ kind: WorkerFrame.Kind, _ write: (inout ByteWriter) -> Void) -> [UInt8] {
    var writer = ByteWriter()
    write(&writer)
    let body = writer.finish()
    return WorkerFrame.head(kind, body.count) + body
  }

  /// The plan of an answer, judged once more by what needs no capacities: the process may be broken.
  private static func answer(
    _ kind: WorkerFrame.Kind, _ body: [UInt8], to job: PlanningJob
  ) throws(WorkerExchange.Failure) -> (plan: Plan, news: CapacityNews) {
    do {
      var reader = try ByteReader(body)
      switch kind {
      case .plan:
        let plan = try PlanningCodec.plan(from: &reader, after: job.input.current?.gpus ?? [])
        let news = try PlanningCodec.news(from: &reader)
        try reader.end()
        if let first = PlanChecker.violations(of: plan).first {
          throw WorkerExchange.Failure.broke(.garbled(first.message))
        }
        return (plan, news)
      case .refused: throw WorkerExchange.Failure.refused(try PlanningCodec.fault(from: &reader))
      case .profiles, .traces, .job, .capacities: throw WorkerExchange.Failure.broke(.garbled("it is a question"))
      }
    } catch let failure as WorkerExchange.Failure {
      throw failure
    } catch {
      throw .broke(.garbled("\(error)"))
    }
  }

  /// A process that takes a job.
  private func ready() throws(PlanningFailure) -> Running {
    if let running = state.withLock(\.running) {
      if !running.process.hasHungUp { return running }
      if let end = retire() { onEnd(end, false) }
    }
    if state.withLock(\.isStopped) { throw .stopped }
    var environment = ProcessInfo.processInfo.environment
    // A trap is to end the process at once; who wants its stack sets this.
    if environment["SWIFT_BACKTRACE"] == nil { environment["SWIFT_BACKTRACE"] = "enable=no" }
    let running: Running
    do throws(WorkerProcess.NotStarted) {
      running = Running(
        process: try WorkerProcess.start(
          settings.program, settings.arguments + ["--memory-mib", String(settings.memoryMiB)],
          environment: environment.map { "\($0.key)=\($0.value)" } + settings.environment))
    } catch {
      let end = WorkerEnd.notStarted(error.errno)
      onEnd(end, true)
      throw .ended(end, isFresh: true)
    }
    let isStopped = state.withLock { state in
      state.running = running
      return state.isStopped
    }
    guard !isStopped else {
      _ = retire()
      throw .stopped
    }
    return running
  }

  /// Takes note of an end in a job: why we killed it, or nil for how it died.
  private func ended(_ cause: WorkerEnd?, _ running: Running, isFresh: Bool) -> PlanningFailure {
    if isFresh, running.isTold { state.withLock { $0.distrusts = true } }
    let own = cause == nil ? takeRunning()?.process.reap() : retire()
    if state.withLock(\.isStopped) { return .stopped }
    let end = cause ?? own ?? .status(0)
    onEnd(end, true)
    return .ended(end, isFresh: isFresh)
  }

  private func takeRunning() -> Running? { state.withLock { $0.running.take() } }

  private func retire() -> WorkerEnd? {
    guard let running = takeRunning() else { return nil }
    // One that has ended already keeps its own cause: a signal to what is not reaped yet changes nothing.
    return running.process.end()
  }

  private func retireWhenIdle(after jobs: Int, process: pid_t) {
    guard let limit = settings.idleLimit else { return }
    queue.add(after: limit) { [weak self] in
      guard let self, let running = state.withLock(\.running), running.process.pid == process, running.jobs == jobs
      else { return }
      _ = retire()
    }
  }
}
