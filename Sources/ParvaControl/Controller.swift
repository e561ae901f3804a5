import Foundation
package import Logging
import ParvaEngine
import ParvaFormats
import ParvaServing
import Synchronization

/// The controller: takes demand, keeps it, plans for it, and brings plans to nodes.
package final class Controller: Sendable {
  package let configuration: Configuration
  /// See ``StoreContents/epoch``: what nodes are told as a term begins with it.
  package let epoch: Int
  package let store: GuardedStore
  package let registry: DemandRegistry
  package let nodes: NodeRegistry
  /// Tokens that were made at run time.
  package let tokens: TokenRegistry
  /// When plans may be brought to nodes by themselves.
  package let windows: WindowRegistry
  /// Who is told what happens.
  package let webhooks: WebhookRegistry
  /// Who has done what.
  package let audit: AuditLog
  package let board: PlanBoard
  /// What happens to operations, nodes and workloads.
  package let events: EventLog
  /// What is so of workloads, and since when.
  package let conditions: WorkloadConditions
  package let traffic: TrafficBoard
  /// What proxies count of requests.
  package let observer: TrafficObserver
  package let pusher: PlanPusher
  /// Keeps all of these up to date where another controller leads; nil where this one does.
  package let follower: Follower?
  package let counters = PlanningCounters()
  package let scheduleLead: ScheduleLead
  /// Makes plans that are only looked at: none of them holds up or ends the planning of what is registered.
  package let previews: any PlanningBackend
  private let logger: Logger
  private let loop: PlanningLoop
  private let capacities: CapacityLedger
  /// One wake-up is kept while a planning runs: what changes meanwhile is planned once, after it.
  private let wakes: (stream: AsyncStream<Void>, continuation: AsyncStream<Void>.Continuation)
  /// The same for changes of the fleet, which are settled first.
  private let fleetWakes: (stream: AsyncStream<Void>, continuation: AsyncStream<Void>.Continuation)
  private let work = Mutex<[Task<Void, Never>]>([])
  /// Where workloads are looked at: one look after the other.
  private let looking = WorkQueue("parva.conditions", yields: true)

  /// Reads the store; the first planning begins with ``start()``.
  ///
  /// - Parameter store: which one that follows does not write.
  /// - Throws: what the store throws.
  package init(
    configuration: Configuration, store: any Store, role: Role = .alone, logger: Logger
  ) async throws(StoreError) {
    var (term, takesOver, followed) = (0, false, (any ReplicatedStore)?.none)
    var before: Controller?
    switch role {
    case .leads(let number, let isSecond, let one): (term, takesOver, before) = (number, isSecond, one)
    case .follows(let replicated): followed = replicated
    }
    // Before it is read: what is read holds all that there was then.
    let freshAt = followed?.freshAt
    let contents: StoreContents
    var inherited: PublishedPlan?
    if let follower = before?.follower {
      let handed = try await follower.handOver()
      (contents, inherited) = (handed.contents, handed.plan)
      if !handed.isKnown { before = nil }
    } else {
      (contents, before) = (try await store.load(), nil)
    }
    epoch = contents.epoch
    let base: any Store = followed.map { CopyStore($0) } ?? store
    let isFollowing = followed != nil
    let wakes = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    let fleetWakes = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    self.wakes = wakes
    self.fleetWakes = fleetWakes
    self.configuration = configuration
    let events = EventLog(start: configuration.now())
    self.events = events
    let feed = WebhookFeed(contents, log: events, now: configuration.now)
    let store = GuardedStore(
      base, logger: logger, completing: { feed.complete(&$0) }, onRecovery: { wakes.continuation.yield() })
    self.store = store
    if !isFollowing { await store.check() }
    board = PlanBoard(events: events)
    let restored =
      inherited
      ?? contents.plan.flatMap {
        PublishedPlan($0, tellsAll: contents.pin != nil || isFollowing || takesOver, contents.nodes, logger)
      }
    // What cannot be read cannot be kept either.
    let pin = restored == nil ? nil : contents.pin
    // It covers what its record says; what came after it is planned at the start.
    if let restored { board.publish(restored, pin: pin, isCurrent: isFollowing) }
    registry = DemandRegistry(
      demand: contents.demand, store: store, limit: configuration.maxWorkloads, now: configuration.now,
      tracer: configuration.tracer, onChange: { wakes.continuation.yield() })
    audit = AuditLog(store: store, retention: configuration.keptAudit, now: configuration.now)
    tokens = TokenRegistry(tokens: contents.tokens, store: store, isFollowing: isFollowing, now: configuration.now)
    windows = WindowRegistry(windows: contents.windows, store: store, now: configuration.now)
    webhooks = WebhookRegistry(
      contents.webhooks, feed: feed, store: store, settings: configuration.webhooks, isFollowing: isFollowing,
      now: configuration.now, logger: logger)
    try await webhooks.count()
    let trafficWakes = TrafficWakes()
    nodes = NodeRegistry(
      nodes: contents.nodes, removed: contents.removedNodes, store: store, settings: configuration.nodes,
      priced: configuration.planning.pools, now: configuration.now, events: events,
      onChange: { fleetWakes.continuation.yield() }, onTraffic: { trafficWakes.ring() })
    if let restored { nodes.take(restored.assignments?.planned(revision: restored.record.revision)) }
    traffic = TrafficBoard(
      told: contents.toldSegments, store: store, nodes: nodes, plan: { [board] in board.view.plan },
      isMirror: isFollowing, now: configuration.now)
    let observer = TrafficObserver(configuration.observing, logger: logger)
    self.observer = observer
    conditions = WorkloadConditions(
      registry: registry, nodes: nodes, board: board, events: events, now: configuration.now,
      observed: WorkloadConditions.Observed(
        condition: { [traffic] workload in observer.condition(workload, traffic.view.table) },
        readings: { observer.readings }))
    if let before { await before.looking.run { [conditions] in conditions.inherit(before.conditions) } }
    trafficWakes.connect(traffic)
    scheduleLead = ScheduleLead(configuration.scheduleLead)
    scheduleLead.note(try await store.operations(after: nil, limit: 2 * ScheduleLead.remembered))
    var push = configuration.push
    push.tracer = configuration.tracer
    push.term = contents.epoch + term
    pusher = PlanPusher(
      store: store, nodes: nodes, traffic: traffic, settings: push, open: contents.openOperations,
      isFollowing: isFollowing, now: configuration.now, events: events,
      rates: { revision in restored.flatMap { $0.record.revision == revision ? $0.rates : nil } },
      tenants: { [registry] in registry.snapshot.registrations.tenants },
      onEnd: { [scheduleLead] in if scheduleLead.note($0) { wakes.continuation.yield() } }, logger: logger)
    self.logger = logger
    let capacities = CapacityLedger(contents.capacities)
    self.capacities = capacities
    let found = { @Sendable [counters] (changes: CapacityChanges, trials: Int) in
      counters.triedLoads(trials)
      capacities.take(changes)
    }
    previews = Self.backend(
      configuration.worker, idleLimit: .seconds(60), known: { capacities.facts }, onFound: found
    ) { [counters] end, _ in
      counters.workerEnded(end)
      logger.warning("a planning process of previews ended", metadata: ["code": "\(end.code)", "cause": "\(end)"])
    }
    let (demandRevision, offers) = (contents.demand.revision, nodes.inventory.fingerprint)
    let isPlanned =
      takesOver
      && restored.map { $0.record.demandRevision == demandRevision && $0.record.fleet == offers } ?? false
    if isPlanned { board.confirm() }
    loop = PlanningLoop(
      registry: registry, nodes: nodes, store: store, board: board, newest: contents.plan, previous: restored?.plan,
      isPlanned: isPlanned, pin: pin,
      backend: Self.backend(
        configuration.worker, idleLimit: nil, known: { capacities.facts }, onFound: found
      ) { [counters] end, isInJob in
        counters.workerEnded(end)
        // The loop tells what became of the job.
        guard !isInJob else { return }
        logger.warning(
          "a planning process ended between two plannings", metadata: ["code": "\(end.code)", "cause": "\(end)"])
      },
      settings: PlanningLoop.Settings(
        setup: configuration.planning, calm: configuration.calm, scheduleLead: scheduleLead,
        keptPlans: configuration.keptPlans,
        tracer: configuration.tracer, now: configuration.now,
        sleep: configuration.sleep),
      counters: counters, logger: logger, wake: { wakes.continuation.yield() })
    follower = followed.map { [registry, nodes, tokens, windows, webhooks, traffic, pusher, board] in
      Follower(
        $0, from: contents.position, freshAt: freshAt, newest: contents.plan,
        Follower.Parts(
          registry: registry, nodes: nodes, tokens: tokens, windows: windows, webhooks: webhooks, traffic: traffic,
          pusher: pusher, board: board), logger: logger)
    }
  }

  private static func backend(
    _ settings: PlanWorker.Settings?, idleLimit: Duration?, known: @escaping @Sendable () -> [CapacityFacts],
    onFound: @escaping @Sendable (CapacityChanges, Int) -> Void,
    onEnd: @escaping @Sendable (WorkerEnd, Bool) -> Void
  ) -> any PlanningBackend {
    guard var settings else { return InProcessPlanning() }
    settings.idleLimit = idleLimit
    return PlanWorker(settings, known: known, onFound: onFound, onEnd: onEnd)
  }

  /// Follows what another controller stores, where this one does.
  ///
  /// - Parameter onReset: called where another has to begin anew in its place.
  package func follow(onReset: @escaping @Sendable () -> Void) {
    guard let follower else { return }
    work.withLock { work in
      guard work.isEmpty else { return }
      conditions.look()
      work = [
        Task { if await follower.run() { onReset() } },
        Task { [self] in await watchConditions() },
        Task { [observer] in await observer.run() },
      ]
    }
  }

  /// Plans the demand as it is, and from now on whenever it or the fleet changes; goes on with unfinished pushes.
  package func start() {
    wakes.continuation.yield()
    work.withLock { work in
      guard work.isEmpty else { return }
      let newest = events.newest
      // What is so now is no news; all that comes from here on is.
      if !conditions.hasLooked { conditions.look() }
      work = [
        Task { [loop, wakes] in await loop.follow(wakes.stream) },
        Task { [self] in await watchHeartbeats() },
        Task { [self] in await settleFleet() },
        Task { [self] in await watchStore() },
        Task { [self] in await keepWhatMayWait() },
        Task { [self] in await watchConditions() },
        Task { [self] in await followPlans() },
        Task { [observer] in await observer.run() },
        Task { [webhooks] in await webhooks.run() },
        Task { [webhooks, store] in
          await webhooks.feed.follow(after: newest, store: store) { webhooks.missed($0) }
        },
        Task { [self] in
          await pusher.resume()
          guard configuration.appliesByItself else { return }
          let applies = AutoApply(
            board: board, nodes: nodes, pusher: pusher, settings: configuration.push, windows: windows, events: events,
            hasLostCapacity: { [conditions] in conditions.lostCapacity > 0 }, logger: logger)
          await applies.run()
        },
      ]
    }
  }

  /// Returns once everything that was on its way to the store is in memory, too, or is not stored.
  package func settle() async {
    await registry.settle()
    await nodes.settle()
    await tokens.settle()
    await windows.settle()
    await webhooks.settle()
    await loop.settle()
  }

  /// Has the planning do something; answers the pin that is there afterwards.
  package func order(_ order: PlanOrder) async throws(PlanOrder.Refusal) -> PlanPin? { try await loop.order(order) }

  private func watchHeartbeats() async {
    while !Task.isCancelled {
      try? await Task.sleep(for: min(.seconds(1), nodes.settings.heartbeat / 2))
      do throws(StoreError) {
        try await nodes.check()
      } catch {
        logger.error("missed heartbeats cannot be stored", metadata: ["error": "\(error)"])
      }
    }
  }

  private func watchConditions() async {
    while !Task.isCancelled {
      try? await Task.sleep(for: .seconds(1))
      await looking.run { [conditions] in conditions.look() }
    }
  }

  private func watchStore() async {
    while !Task.isCancelled {
      try? await Task.sleep(for: .seconds(1))
      await store.recover()
      await pusher.keep()
      do throws(TrafficBoard.Refusal) {
        try await traffic.forgetTold()
      } catch {
        // The store says itself what ails it.
        continue
      }
    }
  }

  private func keepWhatMayWait() async {
    while !Task.isCancelled {
      try? await Task.sleep(for: .seconds(1))
      // What cannot be stored now is stored later; the store says itself what ails it.
      try? await tokens.keep()
      try? await audit.keep()
      try? await capacities.keep(in: store)
    }
  }

  /// Passes changes of the fleet on to planning once no more come: nodes that join or return together are one change.
  private func settleFleet() async {
    var settled = -1
    for await _ in fleetWakes.stream where nodes.generation != settled {
      let end = ContinuousClock.now + configuration.settle * 5
      while settled != nodes.generation, ContinuousClock.now < end {
        settled = nodes.generation
        try? await Task.sleep(for: configuration.settle)
      }
      settled = nodes.generation
      wakes.continuation.yield()
    }
  }

  /// Endpoints have their weights from the plan.
  private func followPlans() async {
    while !Task.isCancelled, !board.isClosed {
      let seen = board.view.plan?.record.revision ?? 0
      traffic.changed()
      _ = await board.wait(for: .seconds(3600)) { ($0.plan?.record.revision ?? 0) != seen }
    }
  }

  /// Answers those who wait for a plan or an operation, now and from now on, so that open requests can end.
  package func releaseWaiters() {
    board.close()
    traffic.close()
    pusher.board.close()
    events.close()
    webhooks.close()
    follower?.close()
  }

  /// Begins nothing any more, and ends what nodes are being sent: another controller leads. ``stop()`` follows.
  package func halt() {
    let tasks = work.withLock { $0 }
    for task in tasks.dropFirst(follower == nil ? 1 : 0) { task.cancel() }
    wakes.continuation.finish()
    fleetWakes.continuation.finish()
    pusher.halt()
    Task { [loop] in await loop.stop() }
  }

  /// Ends the planning and closes the store. No request may follow.
  package func stop() async throws(StoreError) {
    halt()
    let tasks = work.withLock { $0 }
    releaseWaiters()
    previews.stop()
    await loop.stop()
    // None of them begins another push then.
    for task in tasks { await task.value }
    await pusher.stop()
    await webhooks.stop()
    guard follower == nil, store.trouble?.code != .notLeader else { return try await store.close() }
    do {
      try await nodes.flush()
    } catch {
      logger.error("what nodes said last cannot be stored", metadata: ["error": "\(error)"])
    }
    do {
      try await audit.keep()
    } catch {
      logger.error("the last rows of the audit cannot be stored", metadata: ["error": "\(error)"])
    }
    do {
      try await capacities.keep(in: store)
    } catch {
      logger.error("what was found out about capacities cannot be stored", metadata: ["error": "\(error)"])
    }
    try await store.close()
  }
}
