import Dispatch
import Foundation
import Logging
import ParvaEngine
import ParvaFormats

/// Plans whenever the demand has changed: one plan at a time, and what changes meanwhile goes into the next.
actor PlanningLoop {
  private let registry: DemandRegistry
  private let store: any Store
  private let board: PlanBoard
  private let setup: PlanningSetup
  private let keptPlans: Int
  private let now: @Sendable () -> Date
  private let logger: Logger
  private let metrics: ControllerMetrics
  /// Planners take a whole core for as long as they need; Swift's own threads stay free for requests.
  private let queue = DispatchQueue(label: "parva.planning", qos: .utility)
  private var newest: StoredPlan?

  /// - Parameters:
  ///   - newest: the newest plan in the store: an equal plan keeps its revision, across restarts too.
  ///   - keptPlans: how many plans the store keeps, at least 1.
  init(
    registry: DemandRegistry, store: any Store, board: PlanBoard, setup: PlanningSetup, newest: StoredPlan?,
    keptPlans: Int, now: @escaping @Sendable () -> Date, metrics: ControllerMetrics, logger: Logger
  ) {
    self.registry = registry
    self.store = store
    self.board = board
    self.setup = setup
    self.newest = newest
    self.keptPlans = keptPlans
    self.now = now
    self.metrics = metrics
    self.logger = logger
  }

  /// Plans the demand once for every wake-up, until there will be no more; wake-ups during a planning count as one.
  func follow(_ wakes: AsyncStream<Void>) async {
    for await _ in wakes { await planOnce() }
  }

  private func planOnce() async {
    let demand = registry.snapshot
    let started = ContinuousClock.now
    do {
      let (plan, json) = try await compute(demand)
      let stored = record(plan, json, demand)
      var batch = StoreBatch()
      batch.plan = stored
      batch.firstPlanKept = max(1, stored.record.revision - keptPlans + 1)
      try await store.commit(batch)
      newest = stored
      board.publish(PublishedPlan(record: stored.record, plan: plan, json: json))
      let elapsed = started.duration(to: .now)
      metrics.planned(in: elapsed)
      logger.info(
        "planned",
        metadata: [
          "revision": "\(stored.record.revision)", "demand_revision": "\(demand.revision)",
          "workloads": "\(demand.registrations.count)", "gpus": "\(plan.summary.gpuCount)",
          "unserved": "\(plan.unplaced.count)", "seconds": "\(elapsed.seconds)",
        ])
    } catch {
      metrics.planningFailed()
      board.fail(at: demand.revision, "\(error)")
      logger.error(
        "planning failed", metadata: ["demand_revision": "\(demand.revision)", "error": "\(error)"])
    }
  }

  private func compute(_ demand: Demand) async throws -> (Plan, Data) {
    try await withCheckedThrowingContinuation { continuation in
      queue.async { [setup] in
        continuation.resume(
          with: Result {
            let plan = try setup.plan(setup.input(for: demand))
            return (plan, PlanWriter.json(plan))
          })
      }
    }
  }

  /// The plan under its revision: that of the newest plan where nothing differs, else the next.
  private func record(_ plan: Plan, _ json: Data, _ demand: Demand) -> StoredPlan {
    if var same = newest, same.document == json {
      same.record.demandRevision = demand.revision
      return same
    }
    return StoredPlan(
      record: PlanRecord(
        revision: (newest?.record.revision ?? 0) + 1, demandRevision: demand.revision, createdAt: now(),
        planner: plan.planner, status: plan.status.rawValue, gpuCount: plan.summary.gpuCount,
        unplacedCount: plan.unplaced.count),
      document: json)
  }
}

extension Duration {
  var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
