import Foundation
import Logging
import ParvaEngine
import ParvaServing

/// Plans whenever the demand has changed: one plan at a time, and what changes meanwhile goes into the next.
actor PlanningLoop {
  struct Settings: Sendable {
    var setup: PlanningSetup
    /// Which plans the store keeps.
    var keptPlans: PlanRetention
    var now: @Sendable () -> Date
    /// Rests between plannings.
    var sleep: @Sendable (Duration) async throws -> Void
  }

  /// What a plan is made for: the same plan would come out again.
  private struct Attempt: Equatable {
    var demand: Int
    var fleet: Int
  }

  private let registry: DemandRegistry
  private let nodes: NodeRegistry
  private let store: any Store
  private let board: PlanBoard
  private let setup: PlanningSetup
  private let ladder: PlanningLadder
  private let keptPlans: PlanRetention
  private let now: @Sendable () -> Date
  private let sleep: @Sendable (Duration) async throws -> Void
  private let wake: @Sendable () -> Void
  private let logger: Logger
  private let counters: PlanningCounters
  /// What comes before and after the planner takes a core for a while where the fleet is large; Swift's own threads stay
  /// free for requests.
  private let queue = WorkQueue("parva.plans", yields: true)
  private var newest: StoredPlan?
  /// The newest plan as it was published, for as few changes as possible from it.
  private var previous: Plan?
  private var last: Attempt?
  private var pace = PlanningPace()
  private var retryAt: ContinuousClock.Instant?
  private var isStopped = false
  private var resting: Task<Void, Never>?
  private var retrying: Task<Void, Never>?

  /// - Parameters:
  ///   - newest: the newest plan in the store: an equal plan keeps its revision, across restarts too.
  ///   - previous: that plan, where it reads.
  ///   - wake: asks for one more turn of ``follow(_:)``.
  init(
    registry: DemandRegistry, nodes: NodeRegistry, store: any Store, board: PlanBoard, newest: StoredPlan?,
    previous: Plan?,
    backend: any PlanningBackend, settings: Settings, counters: PlanningCounters, logger: Logger,
    wake: @escaping @Sendable () -> Void
  ) {
    self.registry = registry
    self.nodes = nodes
    self.store = store
    self.board = board
    self.newest = newest
    self.previous = previous
    ladder = PlanningLadder(backend: backend)
    setup = settings.setup
    keptPlans = settings.keptPlans
    now = settings.now
    sleep = settings.sleep
    self.counters = counters
    self.logger = logger
    self.wake = wake
  }

  /// Plans the demand once for every wake-up, until there will be no more; wake-ups during a planning and the rest after
  /// it count as one.
  func follow(_ wakes: AsyncStream<Void>) async {
    for await _ in wakes {
      let began = ContinuousClock.now
      guard !isStopped else { continue }
      if await planOnce() { await rest(pace.rest(after: began.duration(to: .now))) }
    }
  }

  /// Ends a planning in a process of its own, a rest and the wait for another attempt; wake-ups do nothing from now on.
  func stop() {
    isStopped = true
    ladder.backend.stop()
    resting?.cancel()
    retrying?.cancel()
  }

  private func rest(_ duration: Duration) async {
    guard !isStopped else { return }
    let rest = Task { [sleep] in
      // Cancelled by a stop alone, and then it is over.
      _ = try? await sleep(duration)
    }
    resting = rest
    await rest.value
  }

  /// - Returns: whether there was anything to plan.
  private func planOnce() async -> Bool {
    let demand = registry.snapshot
    let fleet = nodes.snapshot
    let attempt = Attempt(demand: demand.revision, fleet: fleet.generation)
    if attempt == last {
      guard let retryAt, ContinuousClock.now >= retryAt else { return false }
    }
    let started = ContinuousClock.now
    let (inForce, job) = await queue.run { [setup, previous] in
      let inForce = PlanInForce.plan(standing: fleet.standing, on: fleet.inventory, published: previous)
      return (inForce, setup.job(for: demand, on: fleet.inventory, replacing: inForce))
    }
    var failures: [PlanningFailure] = []
    do {
      let outcome: PlanningLadder.Outcome
      do throws(PlanningLadder.Failed) {
        outcome = try await ladder.plan(job, retries: pace.failures == 0)
      } catch {
        guard !isStopped else { return false }
        failures = error.failures
        tell(failures, demand, areCured: false)
        throw error.failures[0]
      }
      failures = outcome.failures
      tell(failures, demand, areCured: !outcome.isResort)
      let finished = await queue.run { [setup, previous, newest, now] in
        FinishedPlan(
          setup.bound(
            outcome.plan, of: demand, to: fleet.inventory, replacing: inForce, published: previous),
          for: demand, on: fleet, after: newest, at: now())
      }
      let (stored, plan) = (finished.stored, finished.published.plan)
      var batch = StoreBatch()
      batch.plan = stored
      batch.keptPlans = (keptPlans, now())
      try await store.commit(batch)
      newest = stored
      previous = plan
      ended(attempt, well: !outcome.isResort)
      board.publish(
        finished.published, fleet: fleet.generation,
        trouble: outcome.isResort ? trouble(failures[0], demand, resort: plan.planner) : nil)
      nodes.take(finished.published.assignments?.planned(revision: stored.record.revision))
      let elapsed = started.duration(to: .now)
      counters.planned(in: elapsed)
      logger.info(
        "planned",
        metadata: [
          "revision": "\(stored.record.revision)", "demand_revision": "\(demand.revision)",
          "workloads": "\(demand.registrations.count)", "gpus": "\(plan.summary.gpuCount)",
          "unserved": "\(plan.unplaced.count)", "planner": "\(plan.planner)", "seconds": "\(elapsed.seconds)",
        ])
    } catch {
      counters.failed()
      // Where it was the store that failed, the next wake-up tries again: it comes when the store is well.
      let failure = error as? PlanningFailure
      if failure == nil { last = nil } else { ended(attempt, well: false) }
      board.fail(
        at: demand.revision, fleet: fleet.generation, "\(error)",
        trouble: failure.map { trouble($0, demand, resort: nil) })
      logger.error(
        "planning failed", metadata: ["demand_revision": "\(demand.revision)", "error": "\(error)"])
    }
    return true
  }

  private func ended(_ attempt: Attempt, well: Bool) {
    last = attempt
    pace.ended(well: well)
    retryAt = pace.retry.map { .now + $0 }
    retrying?.cancel()
    retrying = pace.retry.map { delay in
      Task { [sleep, wake] in
        guard (try? await sleep(delay)) != nil else { return }
        wake()
      }
    }
    if isStopped { retrying?.cancel() }
  }

  private func trouble(_ failure: PlanningFailure, _ demand: Demand, resort: String?) -> PlanningTrouble {
    PlanningTrouble(
      code: failure.code, message: failure.description, demandRevision: demand.revision, resort: resort,
      attempts: pace.failures)
  }

  /// - Parameter areCured: whether a repetition gave the planner's own plan.
  private func tell(_ failures: [PlanningFailure], _ demand: Demand, areCured: Bool) {
    for failure in failures {
      logger.log(
        level: areCured ? .warning : .error,
        areCured ? "a planner failed, and its repetition did not" : "a planner failed",
        metadata: [
          "code": "\(failure.code)", "cause": "\(failure)", "demand_revision": "\(demand.revision)",
          "workloads": "\(demand.registrations.count)",
        ])
    }
  }
}
