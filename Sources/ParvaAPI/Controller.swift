package import Foundation
package import Logging
import Synchronization

/// The controller: takes demand, keeps it, and plans for it. Speaks HTTP through the routes it gives out.
package final class Controller: Sendable {
  package struct Configuration: Sendable {
    package var planning: PlanningSetup
    /// Most registrations at a time.
    package var maxWorkloads = 250_000
    /// How many plans are kept in the store, at least 1.
    package var keptPlans = 100
    /// Whether changes of what exists must carry If-Match.
    package var requiresPreconditions = false
    /// What `/` tells.
    package var version = ""
    package var now: @Sendable () -> Date = { Date() }

    package init(planning: PlanningSetup) { self.planning = planning }
  }

  let configuration: Configuration
  let store: any Store
  let registry: DemandRegistry
  let board: PlanBoard
  let metrics: ControllerMetrics
  private let loop: PlanningLoop
  /// One wake-up is kept while a planning runs: what changes meanwhile is planned once, after it.
  private let wakes: (stream: AsyncStream<Void>, continuation: AsyncStream<Void>.Continuation)
  private let planning = Mutex<Task<Void, Never>?>(nil)

  /// Reads the store; the first planning begins with ``start()``.
  ///
  /// - Throws: what the store throws.
  package init(configuration: Configuration, store: any Store, logger: Logger) async throws(StoreError) {
    let contents = try await store.load()
    let wakes = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    self.wakes = wakes
    self.configuration = configuration
    self.store = store
    board = PlanBoard()
    metrics = ControllerMetrics()
    registry = DemandRegistry(
      demand: contents.demand, store: store, limit: configuration.maxWorkloads, now: configuration.now,
      onChange: { wakes.continuation.yield() })
    loop = PlanningLoop(
      registry: registry, store: store, board: board, setup: configuration.planning, newest: contents.plan,
      keptPlans: configuration.keptPlans, now: configuration.now, metrics: metrics, logger: logger)
  }

  /// Plans the demand as it is, and from now on whenever it changes.
  package func start() {
    wakes.continuation.yield()
    planning.withLock { task in
      if task == nil { task = Task { [loop, wakes] in await loop.follow(wakes.stream) } }
    }
  }

  /// Answers those who wait for a plan, now and from now on, so that open requests can end.
  package func releaseWaiters() { board.close() }

  /// Ends the planning and closes the store. No request may follow.
  package func stop() async throws(StoreError) {
    releaseWaiters()
    wakes.continuation.finish()
    if let task = planning.withLock({ $0 }) { await task.value }
    try await store.close()
  }
}
