import ParvaEngine

/// One thing changed in a plan: nothing where the plan has no such thing, or where it would say less than it could and no
/// more.
struct PlanChange: Sendable {
  var name: String
  /// What the change may be told as not verified by instead of being refused.
  var reservation: String?
  var make: @Sendable (inout Plan, PlanningInput) -> Void

  init(
    _ name: String, reservation: String? = nil, _ make: @escaping @Sendable (inout Plan, PlanningInput) -> Void
  ) {
    (self.name, self.reservation, self.make) = (name, reservation, make)
  }

  static let all = words + summary + service + segments + certificate

  private static let words = [
    PlanChange("planner: none") { plan, _ in plan.planner = "xyz" },
    PlanChange("planner: another") { plan, _ in plan.planner = "parvagpu" },
    PlanChange("planner: standing") { plan, _ in plan.planner = "standing" },
    PlanChange("admission") { plan, _ in plan.admission = "xyz" },
    PlanChange("margin") { plan, _ in plan.margin = (plan.margin ?? 0) + 2 },
    PlanChange("objective: one") { plan, _ in plan.objective = plan.objective == .cost ? .gpus : .cost },
    PlanChange("objective: another") { plan, _ in
      plan.objective = PlanObjective.allCases.last { $0 != plan.objective }
    },
    PlanChange("maxProcesses") { plan, _ in
      let used = plan.gpus.flatMap(\.segments).map(\.processes).max() ?? 1
      if used > 1 { plan.maxProcesses = used - 1 }
    },
    PlanChange("status: optimal") { plan, _ in plan.status = .optimal },
    PlanChange("status: feasible") { plan, _ in plan.status = .feasible },
    PlanChange("status: infeasible") { plan, _ in plan.status = .infeasible },
  ]

  private static let summary = [
    PlanChange("lowerBound: up") { plan, _ in plan.summary.lowerBound? += 5 },
    PlanChange("lowerBound: above all") { plan, _ in plan.summary.lowerBound? += 1e6 },
    PlanChange("lowerBound: half") { plan, _ in plan.summary.lowerBound? *= 0.5 },
    PlanChange("lowerBound: none") { plan, _ in plan.summary.lowerBound = nil },
    PlanChange("gap: up") { plan, _ in plan.summary.gap? += 1 },
    PlanChange("gap: down") { plan, _ in plan.summary.gap? -= 1 },
    PlanChange("gap: 0") { plan, _ in plan.summary.gap = plan.summary.gap.map { _ in 0 } },
    PlanChange("gap: none") { plan, _ in plan.summary.gap = nil },
    PlanChange("gpuCount") { plan, _ in plan.summary.gpuCount -= 1 },
    PlanChange("allocatedSlices") { plan, _ in plan.summary.allocatedSlices += 1 },
    PlanChange("externalFragmentation") { plan, _ in plan.summary.externalFragmentation += 0.01 },
    PlanChange("internalSlack") { plan, _ in plan.summary.internalSlack *= 0.9 },
    PlanChange("cost") { plan, _ in plan.summary.sums["cost"] = (plan.summary.sums["cost"] ?? 0) + 0.5 },
    PlanChange("watts") { plan, _ in plan.summary.sums["watts"] = 5 },
    PlanChange("profileSource") { plan, _ in
      plan.summary.profileSource = plan.summary.profileSource == .measured ? .modelled : .measured
    },
    PlanChange("cutShort", reservation: "cutShort") { plan, _ in plan.summary.isCutShort = true },
  ]

  private static let service = [
    PlanChange("unplaced: one too many") { plan, _ in
      guard let placed = plan.gpus.first?.segments.first?.workload else { return }
      plan.unplaced.append(Unserved(workload: placed, code: .noStock, message: ""))
    },
    PlanChange("unplaced: one is missing") { plan, _ in if !plan.unplaced.isEmpty { plan.unplaced.removeLast() } },
    PlanChange("unplaced: another reason") { plan, _ in
      guard !plan.unplaced.isEmpty else { return }
      plan.unplaced[0].code = plan.unplaced[0].code == .noStock ? .sloUnreachable : .noStock
    },
    PlanChange("unplaced: a reason from elsewhere", reservation: "unplaced") { plan, _ in
      if !plan.unplaced.isEmpty { plan.unplaced[0].code = .quotaExceeded }
    },
    PlanChange("unplaced: nobody's") { plan, _ in
      if !plan.unplaced.isEmpty { plan.unplaced[0].workload = "nobody" }
    },
    PlanChange("partial: demanded") { plan, _ in if !plan.partial.isEmpty { plan.partial[0].demanded *= 1.1 } },
    PlanChange("partial: served more") { plan, _ in if !plan.partial.isEmpty { plan.partial[0].served *= 1.01 } },
    PlanChange("partial: served less") { plan, _ in if !plan.partial.isEmpty { plan.partial[0].served *= 0.9 } },
    PlanChange("partial: another reason") { plan, _ in
      if !plan.partial.isEmpty { plan.partial[0].code = .sloUnreachable }
    },
    PlanChange("partial: missing") { plan, _ in plan.partial = [] },
    PlanChange("pool") { plan, _ in plan.gpus[0].pool = plan.gpus[0].pool == "pool-0" ? "pool-1" : "pool-0" },
    PlanChange("product") { plan, input in
      let pools = input.pools.map(\.product)
      plan.gpus[0].product = pools.first { $0 != plan.gpus[0].product } ?? plan.gpus[0].product
    },
    PlanChange("node", reservation: "node") { plan, _ in plan.gpus[0].node = "ghost" },
    PlanChange("uuid", reservation: "uuid") { plan, _ in plan.gpus[0].uuid = "GPU-1" },
    PlanChange("a GPU is missing") { plan, _ in plan.gpus.removeLast() },
    PlanChange("a GPU is there twice") { plan, _ in plan.gpus.append(plan.gpus[0]) },
  ]

  private static let segments = [
    PlanChange("workload") { plan, _ in plan.gpus[0].segments[0].workload = "nobody" },
    PlanChange("model") { plan, _ in plan.gpus[0].segments[0].model = "other" },
    PlanChange("profile") { plan, _ in
      let profiles = plan.gpus[0].product.profiles.indices
      plan.gpus[0].segments[0].profile = profiles.first { $0 != plan.gpus[0].segments[0].profile } ?? 0
    },
    PlanChange("start") { plan, _ in plan.gpus[0].segments[0].start = 99 },
    PlanChange("batch") { plan, _ in plan.gpus[0].segments[0].batch += 1 },
    PlanChange("processes") { plan, _ in plan.gpus[0].segments[0].processes += 1 },
    PlanChange("capacity: more") { plan, _ in plan.gpus[0].segments[0].capacity *= 1.01 },
    PlanChange("capacity: less") { plan, _ in plan.gpus[0].segments[0].capacity *= 0.9 },
    PlanChange("load: more") { plan, _ in plan.gpus[0].segments[0].load *= 1.01 },
    PlanChange("load: less") { plan, _ in plan.gpus[0].segments[0].load *= 0.99 },
    PlanChange("latencyMs") { plan, _ in plan.gpus[0].segments[0].latencyMs *= 0.5 },
  ]

  private static let certificate = [
    PlanChange("certificate: objective") { plan, _ in
      plan.certificate?.objective = plan.objective == .gpus ? .cost : .gpus
    },
    PlanChange("certificate: fewer processes") { plan, _ in plan.certificate?.maxProcesses -= 1 },
    PlanChange("certificate: more processes") { plan, _ in plan.certificate?.maxProcesses += 1 },
    PlanChange("certificate: kind") { plan, _ in
      if plan.certificate?.kind == .exhaustive { plan.certificate?.kind = .prices }
    },
    PlanChange("certificate: bound") { plan, _ in plan.certificate?.parts[0].bound *= 1.2 },
    PlanChange("certificate: weight") { plan, _ in plan.certificate?.parts[0].pools[0].weight *= 1.1 },
    PlanChange("certificate: prices up") { plan, _ in
      for index in plan.certificate?.parts[0].pools[0].prices.indices ?? 0..<0 {
        plan.certificate?.parts[0].pools[0].prices[index].value += 10
      }
    },
    PlanChange("certificate: tenant") { plan, _ in
      plan.certificate?.parts[0].tenant = Tenant(namespace: "default", key: "team", value: "x")
    },
    PlanChange("certificate: a part is missing") { plan, _ in
      if plan.certificate != nil { plan.certificate?.parts.removeLast() }
    },
  ]
}
