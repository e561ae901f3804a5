import Foundation
import Logging
import ParvaEngine
import ParvaFormats
import ParvaServing

/// Orders are done between two plannings, so that no plan appears beside them.
extension PlanningLoop {
  /// Does what is ordered as soon as no plan is being made; a rest is cut short for it.
  ///
  /// - Returns: the pin that is there afterwards.
  func order(_ order: PlanOrder) async throws(PlanOrder.Refusal) -> PlanPin? {
    guard !isStopped else { throw .stopping }
    let draft = AuditDraft.open
    let result: Result<PlanPin?, PlanOrder.Refusal> = await withCheckedContinuation { done in
      orders.append(WaitingOrder(order: order, draft: draft, done: done))
      resting?.cancel()
      wake()
    }
    return try result.get()
  }

  func doOrders() async {
    while !orders.isEmpty {
      let next = orders.removeFirst()
      let result: Result<PlanPin?, PlanOrder.Refusal>
      isStoring = true
      defer { isStoring = false }
      do throws(PlanOrder.Refusal) {
        result = .success(try await perform(next.order, for: next.draft))
      } catch {
        result = .failure(error)
      }
      next.done.resume(returning: result)
    }
  }

  func refuseOrders() {
    for order in orders { order.done.resume(returning: .failure(.stopping)) }
    orders = []
  }

  private func perform(_ order: PlanOrder, for draft: AuditDraft?) async throws(PlanOrder.Refusal) -> PlanPin? {
    guard !isStopped else { throw .stopping }
    switch order {
    case .pin(let reason):
      guard let newest, board.view.plan != nil else { throw .noPlan }
      var pinned = PlanPin(revision: newest.record.revision, reason: reason, since: now().wholeMilliseconds)
      // Pinned again it is the same pin, with what is said of it now; what was said stays where nothing is.
      if let pin {
        pinned.since = pin.since
        if reason.isEmpty { pinned.reason = pin.reason }
      }
      var batch = StoreBatch()
      batch.pin = .some(pinned)
      try await commit(batch, draft, 200, after: pinned)
      set(pinned)
    case .release:
      guard pin != nil else { throw .notPinned }
      var batch = StoreBatch()
      batch.pin = .some(nil)
      try await commit(batch, draft, 204, after: nil)
      // What was kept from being planned comes now, also where nothing has changed since.
      last = nil
      (wasReleased, releasedBy) = (true, draft?.author)
      set(nil)
      wake()
    case .bringBack(let revision, let reason):
      try await bringBack(revision, reason, for: draft)
    }
    return pin
  }

  /// Stores what an order has changed, with its row in the audit.
  private func commit(
    _ batch: StoreBatch, _ draft: AuditDraft?, _ status: Int, after: PlanPin?
  ) async throws(PlanOrder.Refusal) {
    let before = pin
    do throws(StoreError) {
      try await store.commit(batch, for: draft) {
        $0.change(status, "plan/pin", before: Self.tag(before), after: Self.tag(after))
      }
    } catch {
      throw .storeFailed(error)
    }
  }

  private static func tag(_ pin: PlanPin?) -> String? {
    pin.map { EntityTag.forRecords($0.revision, Data($0.reason.utf8)) }
  }

  private func set(_ pin: PlanPin?) {
    self.pin = pin
    board.pin(pin)
  }

  private func bringBack(
    _ revision: Int, _ reason: String, for draft: AuditDraft?
  ) async throws(PlanOrder.Refusal) {
    let found: StoredPlan?
    do throws(StoreError) {
      found = try await store.plan(revision)
    } catch {
      throw .storeFailed(error)
    }
    guard let earlier = found else { throw .unknownPlan }
    let (fleet, demand) = (nodes.snapshot, registry.snapshot)
    let before = newest
    let time = now().wholeMilliseconds
    let finished = await queue.run { () -> Result<FinishedPlan, PlanOrder.Refusal> in
      guard let plan = try? PlanReader.read(InputSource(earlier.document, format: .json)) else {
        return .failure(.unreadable)
      }
      let faults = Self.faults(of: plan, demand, fleet)
      guard faults.isEmpty else { return .failure(.unusable(faults)) }
      return .success(
        FinishedPlan(
          bringingBack: earlier, plan, for: demand, on: fleet, after: before, at: time, by: draft?.author))
    }
    let made = try finished.get()
    let pinned = PlanPin(revision: made.stored.record.revision, reason: reason, since: time)
    var batch = StoreBatch()
    batch.plan = made.stored
    batch.keptPlans = (keptPlans, time)
    batch.pin = .some(pinned)
    try await commit(batch, draft, 201, after: pinned)
    let published = await queue.run { made.published() }
    newest = made.stored
    previous = made.plan
    last = nil
    plannedFleet = fleet.generation
    pin = pinned
    board.publish(published, fleet: fleet.generation, pin: pinned)
    nodes.take(published.assignments?.planned(revision: made.stored.record.revision))
    logger.info(
      "brought back",
      metadata: ["revision": "\(made.stored.record.revision)", "earlier": "\(revision)", "reason": "\(reason)"])
  }

  /// Why a plan cannot stand on today's fleet for today's workloads, at most a hundred reasons.
  private nonisolated static func faults(of plan: Plan, _ demand: Demand, _ fleet: Fleet) -> [String] {
    var faults: [String] = []
    let count = demand.registrations.count
    if plan.gpus.isEmpty, count > 0 { faults.append("it serves none of the \(count) registered workloads") }
    let names = Set(plan.gpus.lazy.flatMap(\.segments).map(\.workload)).sorted()
    for name in names where demand.registrations[name] == nil {
      faults.append("workload \(name) is no longer registered")
    }
    for segment in plan.gpus.lazy.flatMap(\.segments) {
      guard let workload = demand.registrations[segment.workload]?.workload, workload.model != segment.model else {
        continue
      }
      let fault = "workload \(workload.id) is of model \(workload.model) now, not \(segment.model)"
      if faults.last != fault { faults.append(fault) }
    }
    if !fleet.inventory.isEmpty {
      let usable = Dictionary(
        fleet.inventory.usable.map { ($0.uuid, $0.node) }, uniquingKeysWith: { first, _ in first })
      for (index, gpu) in plan.gpus.enumerated() {
        guard let node = gpu.node, let uuid = gpu.uuid else {
          faults.append("GPU \(index) of it is bound to no node")
          continue
        }
        if usable[uuid] != node { faults.append("GPU \(uuid) of node \(node) cannot be used") }
      }
    }
    return Array(faults.prefix(100))
  }
}
