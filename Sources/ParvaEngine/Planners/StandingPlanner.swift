/// Keeps of the plan in force what still serves the demand, and plans nothing new: the last resort where a planner
/// fails on a demand.
///
/// It moves nothing. A workload that changed keeps its segments where they still carry it; one that is new, or that its
/// segments no longer carry, is left out. It asks ``PlanChecker`` what still holds, since that is the only judge.
public struct StandingPlanner: Planner {
  public let name = "standing"
  public let summary = "what still serves of the plan in force, and nothing new"

  public init() {}

  /// O(segments + workloads), three times at most.
  public func plan(_ input: PlanningInput, _ context: PlanningContext) -> Plan {
    guard let current = input.current else { return Self.restricted([], Plan.none, input, without: []) }
    if PlanChecker.violations(of: current, against: input).isEmpty { return current }
    let gpus = Self.inStock(current, input)
    var dropped: Set<String> = []
    for _ in 0..<3 {
      let candidate = Self.restricted(gpus, current, input, without: dropped)
      let violations = PlanChecker.violations(of: candidate, against: input)
      if violations.isEmpty { return candidate }
      let known = dropped.count
      dropped.formUnion(violations.compactMap(\.workload))
      if dropped.count == known { break }
    }
    return Self.restricted([], current, input, without: [])
  }

  /// The GPUs that their pools still have, those bound to real ones first.
  private static func inStock(_ current: Plan, _ input: PlanningInput) -> [PlannedGPU] {
    let pools = Dictionary(input.pools.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    var left = pools.mapValues { $0.count ?? .max }
    var stays = [Bool](repeating: false, count: current.gpus.count)
    for isBound in [true, false] {
      for (index, gpu) in current.gpus.enumerated() where (gpu.uuid != nil) == isBound {
        guard let pool = pools[gpu.pool], pool.product == gpu.product, let room = left[gpu.pool], room > 0 else {
          continue
        }
        stays[index] = true
        left[gpu.pool] = room - 1
      }
    }
    return zip(current.gpus, stays).filter(\.1).map(\.0)
  }

  /// The plan that has of `gpus` the segments which carry their workloads.
  private static func restricted(
    _ gpus: [PlannedGPU], _ current: Plan, _ input: PlanningInput, without dropped: Set<String>
  ) -> Plan {
    var sums: [String: (capacity: Double, load: Double)] = [:]
    for gpu in gpus {
      for segment in gpu.segments {
        sums[segment.workload, default: (0, 0)].capacity += segment.capacity
        sums[segment.workload, default: (0, 0)].load += segment.load
      }
    }
    let reasons = Dictionary(current.unplaced.map { ($0.workload, $0) }, uniquingKeysWith: { first, _ in first })
    var rates: [String: Double] = [:]
    var unplaced: [Unserved] = []
    var partial: [PartialService] = []
    for workload in input.workloads {
      let capacity = dropped.contains(workload.id) ? 0 : sums[workload.id]?.capacity ?? 0
      let isWhole = capacity >= workload.rate * (1 - Tolerance.relative)
      if isWhole {
        rates[workload.id] = workload.rate
      } else if capacity > 0, workload.allowsPartial {
        rates[workload.id] = capacity
        partial.append(
          PartialService(
            workload: workload.id, demanded: workload.rate, served: capacity, code: .notPlanned, message: Self.message))
      } else {
        unplaced.append(
          reasons[workload.id] ?? Unserved(workload: workload.id, code: .notPlanned, message: Self.message))
      }
    }
    let kept = gpus.compactMap { gpu -> PlannedGPU? in
      var gpu = gpu
      gpu.segments = gpu.segments.compactMap { segment in
        guard let rate = rates[segment.workload], let sum = sums[segment.workload] else { return nil }
        var segment = segment
        // Loads that add up already stay as they are, to the last digit.
        if (sum.load - rate).magnitude > rate * Tolerance.relative {
          segment.load = min(segment.capacity, rate * (segment.capacity / sum.capacity))
        }
        return segment
      }
      return gpu.segments.isEmpty ? nil : gpu
    }
    // Profiles may have been replaced since, by some of another origin.
    var sources: Set<ProfileSource> = []
    for gpu in kept {
      for segment in gpu.segments {
        let profile = input.profiles.profile(
          model: segment.model, product: gpu.product.name, for: segment.workload)
        if let profile { sources.insert(profile.source) }
      }
    }
    return Plan(
      planner: StandingPlanner().name, admission: input.options.admission.name,
      margin: input.options.admission.takesMargin ? input.options.margin : nil,
      maxProcesses: input.options.maxProcesses,
      status: unplaced.isEmpty ? .feasible : .infeasible, gpus: kept, unplaced: unplaced, partial: partial,
      summary: PlanMetrics.summary(
        of: kept, pools: input.pools,
        profileSource: sources.isEmpty ? current.summary.profileSource : sources.merged))
  }

  private static let message =
    "the planner failed on this demand, and only what stood before is kept; the log and /readyz tell why"
}

extension Plan {
  fileprivate static let none = Plan(
    planner: "", admission: "", status: .feasible, gpus: [], unplaced: [],
    summary: PlanSummary(
      gpuCount: 0, allocatedSlices: 0, externalFragmentation: 0, internalSlack: 0, profileSource: .measured))
}
