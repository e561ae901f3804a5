import Dispatch
import Foundation
import Logging
import ParvaEngine
import ParvaFormats

/// Plans whenever the demand has changed: one plan at a time, and what changes meanwhile goes into the next.
actor PlanningLoop {
  private let registry: DemandRegistry
  private let nodes: NodeRegistry
  private let store: any Store
  private let board: PlanBoard
  private let setup: PlanningSetup
  private let keptPlans: PlanRetention
  private let now: @Sendable () -> Date
  private let logger: Logger
  private let metrics: ControllerMetrics
  /// Planners take a whole core for as long as they need; Swift's own threads stay free for requests.
  private let queue = DispatchQueue(label: "parva.planning", qos: .utility)
  private var newest: StoredPlan?
  /// The newest plan as it was published, for as few changes as possible from it.
  private var previous: Plan?

  /// - Parameters:
  ///   - newest: the newest plan in the store: an equal plan keeps its revision, across restarts too.
  ///   - previous: that plan, where it reads.
  ///   - keptPlans: which plans the store keeps.
  init(
    registry: DemandRegistry, nodes: NodeRegistry, store: any Store, board: PlanBoard, setup: PlanningSetup,
    newest: StoredPlan?, previous: Plan?,
    keptPlans: PlanRetention, now: @escaping @Sendable () -> Date, metrics: ControllerMetrics, logger: Logger
  ) {
    self.registry = registry
    self.nodes = nodes
    self.store = store
    self.board = board
    self.setup = setup
    self.newest = newest
    self.previous = previous
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
    let fleet = nodes.snapshot
    let started = ContinuousClock.now
    do {
      let (plan, json) = try await compute(demand, fleet)
      let slices =
        fleet.inventory.isEmpty
        ? nil : NodeSlices(plan, nodes: fleet.nodes.values, workloads: demand.registrations)
      let stored = record(plan, json, slices, demand, fleet)
      var batch = StoreBatch()
      batch.plan = stored
      batch.keptPlans = (keptPlans, now())
      try await store.commit(batch)
      newest = stored
      previous = plan
      board.publish(
        PublishedPlan(record: stored.record, plan: plan, json: json, slices: slices), fleet: fleet.generation)
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
      board.fail(at: demand.revision, fleet: fleet.generation, "\(error)")
      logger.error(
        "planning failed", metadata: ["demand_revision": "\(demand.revision)", "error": "\(error)"])
    }
  }

  private func compute(_ demand: Demand, _ fleet: Fleet) async throws -> (Plan, Data) {
    try await withCheckedThrowingContinuation { continuation in
      queue.async { [setup, previous] in
        continuation.resume(
          with: Result {
            let inForce = PlanInForce.plan(standing: fleet.standing, on: fleet.inventory, published: previous)
            let plan = try setup.plan(for: demand, on: fleet.inventory, replacing: inForce, published: previous)
            return (plan, PlanWriter.json(plan))
          })
      }
    }
  }

  /// The plan under its revision: that of the newest plan where nothing differs, neither for clients nor for nodes, else
  /// the next one that no node has seen.
  private func record(
    _ plan: Plan, _ json: Data, _ slices: NodeSlices?, _ demand: Demand, _ fleet: Fleet
  ) -> StoredPlan {
    let told = slices?.data ?? Data()
    if var same = newest, same.document == json, same.slices == told, same.record.revision >= fleet.newestRevision {
      same.record.demandRevision = demand.revision
      return same
    }
    return StoredPlan(
      record: PlanRecord(
        revision: max(newest?.record.revision ?? 0, fleet.newestRevision) + 1, demandRevision: demand.revision,
        createdAt: now(),
        planner: plan.planner, status: plan.status.rawValue, gpuCount: plan.summary.gpuCount,
        unplacedCount: plan.unplaced.count),
      document: json, slices: told)
  }
}

extension Duration {
  var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
