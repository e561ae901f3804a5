package import Foundation
package import Logging
import ParvaFormats
import Synchronization

/// The controller: takes demand, keeps it, and plans for it. Speaks HTTP through the routes it gives out.
package final class Controller: Sendable {
  package struct Configuration: Sendable {
    package var planning: PlanningSetup
    /// Most registrations at a time.
    package var maxWorkloads = 250_000
    /// Which plans are kept in the store.
    package var keptPlans = PlanRetention()
    /// Whether changes of what exists must carry If-Match.
    package var requiresPreconditions = false
    /// What `/` tells.
    package var version = ""
    package var nodes = NodeRegistry.Settings()
    package var push = PushSettings()
    /// Whether every new plan is pushed by itself.
    package var appliesByItself = false
    package var now: @Sendable () -> Date = { Date() }

    package init(planning: PlanningSetup) { self.planning = planning }
  }

  let configuration: Configuration
  let store: GuardedStore
  let registry: DemandRegistry
  let board: PlanBoard
  let metrics: ControllerMetrics
  package let nodes: NodeRegistry
  let pusher: PlanPusher
  private let logger: Logger
  private let loop: PlanningLoop
  /// One wake-up is kept while a planning runs: what changes meanwhile is planned once, after it.
  private let wakes: (stream: AsyncStream<Void>, continuation: AsyncStream<Void>.Continuation)
  private let work = Mutex<[Task<Void, Never>]>([])

  /// Reads the store; the first planning begins with ``start()``.
  ///
  /// - Throws: what the store throws.
  package init(configuration: Configuration, store: any Store, logger: Logger) async throws(StoreError) {
    let contents = try await store.load()
    let wakes = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    self.wakes = wakes
    self.configuration = configuration
    let store = GuardedStore(store, logger: logger, onRecovery: { wakes.continuation.yield() })
    self.store = store
    board = PlanBoard()
    let restored = contents.plan.flatMap { Self.published($0, logger) }
    // It covers what its record says; what came after it is planned at the start.
    if let restored { board.publish(restored) }
    metrics = ControllerMetrics()
    registry = DemandRegistry(
      demand: contents.demand, store: store, limit: configuration.maxWorkloads, now: configuration.now,
      onChange: { wakes.continuation.yield() })
    nodes = NodeRegistry(
      nodes: contents.nodes.map { $0.standing(by: restored) }, removed: contents.removedNodes, store: store,
      settings: configuration.nodes,
      priced: configuration.planning.pools, now: configuration.now, onChange: { wakes.continuation.yield() })
    pusher = PlanPusher(
      store: store, nodes: nodes, settings: configuration.push, open: contents.openOperations,
      now: configuration.now, logger: logger)
    self.logger = logger
    loop = PlanningLoop(
      registry: registry, nodes: nodes, store: store, board: board, setup: configuration.planning,
      newest: contents.plan, previous: restored?.plan,
      keptPlans: configuration.keptPlans, now: configuration.now, metrics: metrics, logger: logger)
  }

  /// The stored plan. A document that no longer reads is no reason not to begin: the next plan is made afresh.
  private static func published(_ stored: StoredPlan, _ logger: Logger) -> PublishedPlan? {
    do {
      let plan = try PlanReader.read(InputSource(stored.document, format: .json))
      return PublishedPlan(
        record: stored.record, plan: plan, json: stored.document, slices: NodeSlices(data: stored.slices),
        origin: .stored)
    } catch {
      logger.warning(
        "the stored plan cannot be read and is made afresh",
        metadata: ["revision": "\(stored.record.revision)", "error": "\(error)"])
      return nil
    }
  }

  /// Plans the demand as it is, and from now on whenever it or the fleet changes; goes on with unfinished pushes.
  package func start() {
    wakes.continuation.yield()
    work.withLock { work in
      guard work.isEmpty else { return }
      work = [
        Task { [loop, wakes] in await loop.follow(wakes.stream) },
        Task { [self] in await watchHeartbeats() },
        Task { [self] in await watchStore() },
        Task { [self] in
          await pusher.resume()
          if configuration.appliesByItself { await applyEveryPlan() }
        },
      ]
    }
  }

  private func watchHeartbeats() async {
    while !Task.isCancelled {
      try? await Task.sleep(for: min(.seconds(1), nodes.settings.heartbeat / 2))
      do throws(ChangeRefusal) {
        try await nodes.check()
      } catch {
        logger.error("missed heartbeats cannot be stored", metadata: ["error": "\(error)"])
      }
    }
  }

  private func watchStore() async {
    while !Task.isCancelled {
      try? await Task.sleep(for: .seconds(1))
      await store.recover()
    }
  }

  private func applyEveryPlan() async {
    var last = 0
    while !Task.isCancelled {
      let seen = last
      let view = await board.wait(for: .seconds(3600)) {
        $0.plan.map { $0.origin == .planned && $0.record.revision > seen } ?? false
      }
      guard !Task.isCancelled, let plan = view.plan, plan.origin == .planned, plan.record.revision > last else {
        // A closed board answers at once, and the task is then about to be cancelled.
        await Task.yield()
        continue
      }
      last = plan.record.revision
      do {
        _ = try await pusher.begin(plan)
      } catch PlanPusher.Refusal.noNodes {
        continue
      } catch {
        logger.error("a plan cannot be pushed", metadata: ["revision": "\(last)", "error": "\(error)"])
      }
    }
  }

  /// Answers those who wait for a plan or an operation, now and from now on, so that open requests can end.
  package func releaseWaiters() {
    board.close()
    pusher.board.close()
  }

  /// Ends the planning and closes the store. No request may follow.
  package func stop() async throws(StoreError) {
    let tasks = work.withLock { $0 }
    for task in tasks.dropFirst() { task.cancel() }
    releaseWaiters()
    wakes.continuation.finish()
    await pusher.stop()
    for task in tasks { await task.value }
    try await store.close()
  }
}
