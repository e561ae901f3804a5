import Foundation
import Logging
import ParvaEngine
import ParvaFormats
import ParvaServing

/// Plans whenever the demand has changed: one plan at a time, and what changes meanwhile goes into the next.
actor PlanningLoop {
  struct Settings: Sendable {
    var setup: PlanningSetup
    /// When plans follow rates that fall.
    var calm = SteadyRate.Policy.none
    /// Seconds by which plans are ahead of rates that go by schedules.
    var scheduleLead = ScheduleLead(0)
    /// Which plans the store keeps.
    var keptPlans: PlanRetention
    /// Is told of plannings that belong to a trace.
    var tracer: Tracer?
    var now: @Sendable () -> Date
    /// Rests between plannings.
    var sleep: @Sendable (Duration) async throws -> Void
  }

  /// What a plan is made for: the same plan would come out again.
  struct Attempt: Equatable {
    var demand: Int
    var fleet: Int
  }

  let registry: DemandRegistry
  let nodes: NodeRegistry
  let store: any Store
  let board: PlanBoard
  private let setup: PlanningSetup
  private let ladder: PlanningLadder
  let keptPlans: PlanRetention
  private let tracer: Tracer?
  let now: @Sendable () -> Date
  private let sleep: @Sendable (Duration) async throws -> Void
  let wake: @Sendable () -> Void
  let logger: Logger
  private let counters: PlanningCounters
  /// What comes before and after the planner takes a core for a while where the fleet is large; Swift's own threads stay
  /// free for requests.
  let queue = WorkQueue("parva.plans", yields: true)
  var newest: StoredPlan?
  /// The newest plan as it was published, for as few changes as possible from it.
  var previous: Plan?
  /// The document of a plan that was made here.
  private var written: WrittenPlan?
  /// What keeps it from being replaced.
  var pin: PlanPin?
  /// What was ordered and not done yet.
  var orders: [WaitingOrder] = []
  var last: Attempt?
  /// The generation of the fleet that the newest plan was made for; at the start, the one that was found.
  var plannedFleet: Int
  /// Whether a plan was pinned since the newest one was made.
  var wasReleased = false
  var releasedBy: PlanCause.Author?
  private var hasPlanned = false
  /// Whether what changes rates by itself is waited for. Every planning sees to that; where a plan was found that is good as it
  /// is, the first turn does.
  private var isArmed = true
  private var steady: SteadyDemand
  private let scheduleLead: ScheduleLead
  /// Seconds of it that rates were looked ahead for last.
  private var settledLead = 0.0
  /// What the newest plan was made for of workloads with schedules.
  private var scheduled: [String: Double] = [:]
  /// Whether one of these rates has become another since the newest plan.
  private var hasStepped = false
  /// When that may be something else.
  private var nextStep: Date?
  /// What was worked out of schedules last.
  private var lastSettled: ScheduledDemand?
  private let start = ContinuousClock.now
  private var pace = PlanningPace()
  private var retryAt: ContinuousClock.Instant?
  private(set) var isStopped = false
  /// Whether a plan is on its way to the store and to those who read it.
  var isStoring = false {
    didSet {
      guard !isStoring else { return }
      let settled = settling
      settling = []
      for waiter in settled { waiter.resume() }
    }
  }
  private var settling: [CheckedContinuation<Void, Never>] = []
  private(set) var resting: Task<Void, Never>?
  private var retrying: Task<Void, Never>?
  /// Waits for the next rate that falls by itself.
  private var holding: Task<Void, Never>?
  /// Waits for the next rate that goes by a schedule.
  private var stepping: Task<Void, Never>?

  /// - Parameters:
  ///   - newest: the newest plan in the store: an equal plan keeps its revision, across restarts too.
  ///   - previous: that plan, where it reads.
  ///   - isPlanned: whether that plan was made for the demand and the nodes as they are, and by a controller like this.
  ///   - pin: what keeps that plan.
  ///   - wake: asks for one more turn of ``follow(_:)``.
  init(
    registry: DemandRegistry, nodes: NodeRegistry, store: any Store, board: PlanBoard, newest: StoredPlan?,
    previous: Plan?, isPlanned: Bool = false, pin: PlanPin?,
    backend: any PlanningBackend, settings: Settings, counters: PlanningCounters, logger: Logger,
    wake: @escaping @Sendable () -> Void
  ) {
    self.registry = registry
    self.nodes = nodes
    plannedFleet = nodes.generation
    self.store = store
    self.board = board
    self.newest = newest
    self.previous = previous
    self.pin = pin
    ladder = PlanningLadder(backend: backend)
    setup = settings.setup
    steady = SteadyDemand(settings.calm, after: previous)
    scheduleLead = settings.scheduleLead
    keptPlans = settings.keptPlans
    tracer = settings.tracer
    now = settings.now
    sleep = settings.sleep
    self.counters = counters
    self.logger = logger
    self.wake = wake
    if isPlanned {
      (hasPlanned, isArmed) = (true, false)
      last = Attempt(demand: registry.revision, fleet: plannedFleet)
    }
  }

  /// Plans the demand once for every wake-up, until there will be no more; wake-ups during a planning and the rest after
  /// it count as one.
  func follow(_ wakes: AsyncStream<Void>) async {
    for await _ in wakes {
      await doOrders()
      let began = ContinuousClock.now
      guard !isStopped, pin == nil else { continue }
      if await planOnce() { await rest(pace.rest(after: began.duration(to: .now))) }
    }
    isStopped = true
    refuseOrders()
  }

  /// Ends a planning in a process of its own, a rest and the wait for another attempt; wake-ups do nothing from now on.
  func stop() {
    isStopped = true
    ladder.backend.stop()
    resting?.cancel()
    retrying?.cancel()
    holding?.cancel()
    stepping?.cancel()
  }

  /// Returns once a plan that was on its way to the store is published, or is not stored.
  func settle() async {
    guard isStoring else { return }
    await withCheckedContinuation { settling.append($0) }
  }

  private func rest(_ duration: Duration) async {
    guard !isStopped, orders.isEmpty else { return }
    let rest = Task { [sleep] in
      // Cancelled by a stop alone, and then it is over.
      _ = try? await sleep(duration)
    }
    resting = rest
    await rest.value
  }

  /// Seconds since this controller began.
  private var time: Double { start.duration(to: .now).seconds }

  /// A plan that was made and judged, and what it was made for.
  private struct Made: Sendable {
    var outcome: PlanningLadder.Outcome
    /// Bound to GPUs.
    var plan: Plan
    var demand: Demand
  }

  /// - Returns: whether there was anything to plan.
  private func planOnce() async -> Bool {
    let (demand, demanding) = registry.snapshot(authorsSince: newest?.record.demandRevision ?? 0)
    let (fleet, changing) = nodes.snapshot(authorsSince: plannedFleet)
    let attempt = Attempt(demand: demand.revision, fleet: fleet.generation)
    let isDue =
      attempt != last || steady.next.map { $0 <= time } ?? false || retryAt.map { ContinuousClock.now >= $0 } ?? false
    let isStep = nextStep.map { now() >= $0 || settledLead != scheduleLead.seconds } ?? false
    guard isDue || !isArmed || isStep else { return false }
    let settled = await settled(demand)
    if !isArmed { arm(settled) }
    guard isDue || hasStepped else { return false }
    let started = ContinuousClock.now
    let triggers = triggers(of: attempt, on: fleet.inventory)
    let authors = demanding.union(changing).union(releasedBy.map { [$0] } ?? [])
    let causes = tracer?.take("demand") ?? []
    let span = causes.first.flatMap { tracer?.begin("planning", below: $0, links: Array(causes.dropFirst())) }
    var failures: [PlanningFailure] = []
    do {
      let made: Made
      do throws(PlanningLadder.Failed) {
        made = try await make(settled, on: fleet)
      } catch {
        guard !isStopped else { return false }
        failures = error.failures
        tell(failures, demand, areCured: false)
        throw error.failures[0]
      }
      let outcome = made.outcome
      failures = outcome.failures
      tell(failures, demand, areCured: !outcome.isResort)
      let before = (plan: previous, revision: newest?.record.revision)
      let finished = await queue.run { [newest, written, now, registry] in
        FinishedPlan(
          made.plan, for: made.demand, on: fleet, after: newest, written: written, at: now().wholeMilliseconds
        ) { record in
          PlanCause(
            triggers, of: demand, removed: registry.removed(since: record?.demandRevision ?? 0), after: record,
            by: authors)
        }
      }
      let (stored, plan) = (finished.stored, finished.plan)
      var batch = StoreBatch()
      batch.plan = stored
      batch.keptPlans = (keptPlans, now())
      isStoring = true
      defer { isStoring = false }
      // Made while it is stored, and seen by nobody before.
      async let rendered = queue.run { finished.published() }
      try await store.commit(batch)
      let published = await rendered
      newest = stored
      previous = plan
      written = finished.written
      hasPlanned = true
      plannedFleet = fleet.generation
      (wasReleased, releasedBy, hasStepped) = (false, nil, false)
      ended(attempt, well: !outcome.isResort)
      // Before anybody hears of the plan.
      tracer?.note(span?.context, as: "plan/\(stored.record.revision)")
      board.publish(
        published, fleet: fleet.generation, holds: steady.holds(at: time, date: now()),
        trouble: outcome.isResort ? trouble(failures[0], demand, resort: plan.planner) : nil)
      nodes.take(published.assignments?.planned(revision: stored.record.revision))
      let elapsed = started.duration(to: .now)
      counters.planned(in: elapsed)
      if stored.record.revision != before.revision {
        // Readers have the plan already: what it changes is only counted.
        counters.published(await queue.run { before.plan.map { PlanDiff(from: $0, to: plan) } })
      }
      if let span {
        tracer?.end(
          span,
          [
            ("parva.plan_revision", .number(stored.record.revision)), ("parva.gpus", .number(plan.summary.gpuCount)),
            ("parva.workloads", .number(demand.registrations.count)), ("parva.planner", .text(plan.planner)),
          ])
      }
      logger.info(
        "planned",
        metadata: [
          "revision": "\(stored.record.revision)", "demand_revision": "\(demand.revision)",
          "workloads": "\(demand.registrations.count)", "gpus": "\(plan.summary.gpuCount)",
          "unserved": "\(plan.unplaced.count)", "planner": "\(plan.planner)", "seconds": "\(elapsed.seconds)",
        ])
    } catch {
      counters.failed()
      if let span { tracer?.end(span, error: "\(error)") }
      // Where it was the store that failed, the next wake-up tries again: it comes when the store is well.
      let failure = error as? PlanningFailure
      if failure == nil { last = nil } else { ended(attempt, well: false) }
      board.fail(
        at: demand.revision, fleet: fleet.generation, offers: fleet.inventory.fingerprint, "\(error)",
        trouble: failure.map { trouble($0, demand, resort: nil) })
      logger.error(
        "planning failed", metadata: ["demand_revision": "\(demand.revision)", "error": "\(error)"])
    }
    awaitFall()
    return true
  }

  /// After a take-over: rates that were held are held again, and a step that fell between two leaders is seen.
  private func arm(_ settled: Demand) {
    isArmed = true
    let held = steady.observe(settled, at: time).registrations
    let planned = previous?.sums(\.load) ?? [:]
    // Loads that were added up are the rate but for their last digits.
    hasStepped = scheduled.keys.contains { id in
      let rate = held[id]?.workload.rate ?? 0
      return abs((planned[id] ?? 0) - rate) > rate * 1e-9
    }
    awaitFall()
  }

  /// The demand as it is planned for now, and when that is another by itself.
  private func settled(_ demand: Demand) async -> Demand {
    let settled: ScheduledDemand
    let lead = scheduleLead.seconds
    settledLead = lead
    if demand.registrations.scheduled.isEmpty {
      settled = ScheduledDemand(demand, at: now(), lead: lead)
    } else {
      settled = await queue.run { [now, before = lastSettled] in
        ScheduledDemand(demand, at: now(), lead: lead, after: before)
      }
    }
    lastSettled = settled
    if settled.rates.contains(where: { scheduled[$0.key] ?? $0.value != $0.value }) { hasStepped = true }
    (scheduled, nextStep) = (settled.rates, settled.next)
    stepping?.cancel()
    stepping = settled.next.map { next in
      Task { [now, sleep, wake] in
        // In short waits: the clock may be put forward or back meanwhile.
        while next.timeIntervalSince(now()) > 0 {
          let rest = Duration.seconds(min(next.timeIntervalSince(now()) + 0.001, 30))
          guard (try? await sleep(rest)) != nil else { return }
        }
        wake()
      }
    }
    if isStopped { stepping?.cancel() }
    return settled.demand
  }

  /// What this planning comes of.
  private func triggers(of attempt: Attempt, on fleet: FleetInventory) -> [PlanCause.Trigger] {
    var triggers: [PlanCause.Trigger] = hasPlanned ? [] : [.start]
    if attempt.demand != newest?.record.demandRevision ?? 0 { triggers.append(.demand) }
    let wasOther = !hasPlanned && newest?.record.fleet.map { $0 != fleet.fingerprint } == true
    if plannedFleet != attempt.fleet || wasOther { triggers.append(.fleet) }
    if wasReleased { triggers.append(.release) }
    if hasStepped { triggers.append(.schedule) }
    if steady.next.map({ $0 <= time }) ?? false { triggers.append(.rate) }
    return triggers
  }

  /// Makes a plan for the rates that are held. Where that plan lacks room, no rate is held any more, and the plan is made for
  /// the rates as they are.
  private func make(_ demand: Demand, on fleet: Fleet) async throws(PlanningLadder.Failed) -> Made {
    let made = try await attempt(steady.observe(demand, at: time), on: fleet)
    guard made.plan.lacksRoom, !steady.holds(at: time, date: now()).isEmpty else { return made }
    steady.letGo(at: time)
    return try await attempt(demand, on: fleet)
  }

  /// Where the plan puts something new on a node that is silent and not lost, it is made again with all silent nodes left as
  /// they are.
  private func attempt(_ demand: Demand, on fleet: Fleet) async throws(PlanningLadder.Failed) -> Made {
    let inForce = await queue.run { [previous] in
      PlanInForce.plan(standing: fleet.standing, on: fleet.inventory, published: previous)
    }
    let made = try await attempt(demand, on: fleet.inventory, replacing: inForce)
    let silent = SilentGPUs(on: fleet, inForce: inForce)
    guard silent.takeNew(in: made.plan) else {
      nodes.avoid([])
      return made
    }
    let standing = silent.rest(of: inForce)
    let held = try await attempt(
      demand, on: silent.rest(of: fleet.inventory, holding: standing), replacing: standing)
    nodes.avoid(silent.nodes)
    return held
  }

  private func attempt(
    _ demand: Demand, on fleet: FleetInventory, replacing inForce: Plan?
  ) async throws(PlanningLadder.Failed) -> Made {
    let job = await queue.run { [setup] in setup.job(for: demand, on: fleet, replacing: inForce) }
    let outcome = try await ladder.plan(job, retries: pace.failures == 0)
    let plan = await queue.run { [setup, previous] in
      setup.bound(outcome.plan, of: demand, to: fleet, replacing: inForce, published: previous)
    }
    return Made(outcome: outcome, plan: plan, demand: demand)
  }

  /// Asks for a planning when the next planned rate falls by itself.
  private func awaitFall() {
    holding?.cancel()
    holding = steady.next.map { next in
      // A little later, so that the time has come for sure.
      let delay = Duration.seconds(max(0, next - time) + 0.001)
      return Task { [wake] in
        guard (try? await Task.sleep(for: delay)) != nil else { return }
        wake()
      }
    }
    if isStopped { holding?.cancel() }
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

extension Plan {
  /// Whether some workload is not served whole that more GPUs would serve.
  fileprivate var lacksRoom: Bool {
    let codes = unplaced.map(\.code) + partial.map(\.code)
    return codes.contains { [.noStock, .spreadUnreachable].contains($0) }
  }
}
