import Foundation
import ParvaControl
import ParvaEngine
import ParvaServing

/// Demand, planning, the plan and the store.
extension ControllerMetrics {
  func writePlanning(_ board: PlanBoard.View, to text: inout MetricsText) {
    let planning = controller.counters.totals
    let demand = controller.registry.read { (revision: $0.revision, workloads: $0.registrations.count) }
    text.single("parva_demand_revision", "gauge", "Revision of the registered demand.", demand.revision)
    text.single(
      "parva_changes_waiting", "gauge", "Changes that wait for the next commit.", controller.registry.waitingChanges)
    text.single("parva_workloads", "gauge", "Registered workloads.", demand.workloads)
    text.family("parva_planning_duration_seconds", "histogram", "Time from the demand to a stored plan.") {
      $0.histogram([:], planning.durations)
    }
    text.single("parva_planning_failures_total", "counter", "Plannings that gave no plan.", planning.failures)
    text.family(
      "parva_planner_worker_restarts_total", "counter", "Planning processes that ended without being told to."
    ) { family in
      for reason in WorkerEnd.codes { family.sample(["reason": reason], Double(planning.workerEnds[reason] ?? 0)) }
    }
    text.single(
      "parva_planner_tried_loads_total", "counter",
      "Loads that planning processes tried at points to find capacities that were not known.", planning.triedLoads)
    text.single(
      "parva_planning_degraded", "gauge", "1 while the planner fails on the demand and something stands in for it.",
      board.trouble == nil ? 0 : 1)
    text.single(
      "parva_plan_revisions_total", "counter", "Plans that differed from the one before them.", planning.revisions)
    text.family(
      "parva_plan_instance_changes_total", "counter",
      "MIG instances by what such plans do with them, against the one before."
    ) { family in
      family.sample(["change": "created"], Double(planning.churn.created))
      family.sample(["change": "destroyed"], Double(planning.churn.destroyed))
      family.sample(["change": "kept"], Double(planning.churn.kept))
    }
    // Who plans holds them.
    let holds = controller.follower == nil ? board.holds : nil
    text.single(
      "parva_held_rates", "gauge", "Workloads that are planned for at a higher rate than they declare.",
      (holds?.count).map(Double.init))
    text.single(
      "parva_held_requests_per_second", "gauge", "Requests per second that are planned for beyond what is declared.",
      holds?.reduce(0) { $0 + $1.planned - $1.rate })
  }

  /// The current plan.
  func writePlan(_ board: PlanBoard.View, to text: inout MetricsText) {
    let plan = board.plan
    let summary = plan?.plan.summary
    let objective = controller.configuration.planning.options.objective.name
    text.family("parva_plan_info", "gauge", "1, labelled with who made the current plan and what it is proven to be.") {
      guard let plan else { return }
      $0.sample(
        ["admission": plan.plan.admission, "planner": plan.record.planner, "status": plan.record.status],
        1)
    }
    text.single(
      "parva_plan_revision", "gauge", "Revision of the current plan.", (plan?.record.revision).map(Double.init))
    text.single(
      "parva_plan_demand_revision", "gauge", "Demand revision that the current plan covers.",
      (plan?.record.demandRevision).map(Double.init))
    text.single(
      "parva_plan_created_timestamp_seconds", "gauge", "When the current plan was made, in seconds since 1970.",
      plan?.record.createdAt.timeIntervalSince1970)
    text.single("parva_plan_gpus", "gauge", "GPUs of the current plan.", (plan?.record.gpuCount).map(Double.init))
    text.family(
      "parva_plan_lower_bound", "gauge", "Proven lower bound of the objective, in its unit; none where none is proven."
    ) { family in
      if let bound = summary?.lowerBound { family.sample(["objective": objective], bound) }
    }
    text.family(
      "parva_plan_gap", "gauge",
      "What the plan may lie above the least possible, in the objective's unit; 0 is proven minimal."
    ) { family in
      if let gap = summary?.gap { family.sample(["objective": objective], gap) }
    }
    text.single(
      "parva_plan_allocated_slices", "gauge", "Compute slices of the plan's instances.",
      (summary?.allocatedSlices).map(Double.init))
    text.single(
      "parva_plan_external_fragmentation_ratio", "gauge",
      "Share of the compute slices of the plan's GPUs that no instance holds.", summary?.externalFragmentation)
    text.single(
      "parva_plan_internal_slack_ratio", "gauge", "Share of the capacity of the plan's instances that no load uses.",
      summary?.internalSlack)
    text.single(
      "parva_plan_unserved_workloads", "gauge", "Workloads that the current plan leaves out.",
      (plan?.record.unplacedCount).map(Double.init))
    text.single(
      "parva_plan_partial_workloads", "gauge",
      "Workloads that the current plan serves at a lower rate than they declare.",
      (plan?.plan.partial.count).map(Double.init))
  }

  func writeStore(to text: inout MetricsText) {
    let store = controller.store
    let totals = store.totals
    text.single(
      "parva_store_writable", "gauge", "1 while the store takes writes, else 0.",
      (store.trouble ?? part.trouble) == nil ? 1 : 0)
    text.family("parva_store_commit_duration_seconds", "histogram", "Time from a batch of changes to the disk.") {
      $0.histogram([:], totals.durations)
    }
    text.family("parva_store_commit_failures_total", "counter", "Batches of changes that were not stored, by code.") {
      for code in [StoreError.Code.full, .failed] {
        $0.sample(["code": code.rawValue], Double(totals.failures[code] ?? 0))
      }
    }
    text.single(
      "parva_store_size_bytes", "gauge", "Bytes that the store takes on disk.", store.sizeBytes.map(Double.init))
    text.single(
      "parva_audit_dropped_total", "counter",
      "Rows of the audit, none of them of a change, that were lost because the store did not take them for long.",
      controller.audit.dropped)
  }
}
