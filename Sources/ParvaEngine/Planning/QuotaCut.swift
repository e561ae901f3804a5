/// What quotas of GPUs leave of a demand, before anything is planned.
///
/// A workload counts what it needs at least, whatever a planner then gives it: the instances with the smallest share of GPUs
/// (``GPUProduct/share(of:)``) that carry its rate. That depends on nobody else. Within a namespace higher priority comes first, then what needs less, then the id; what does not fit is passed over.
public struct QuotaCut: Sendable {
  /// What is left to plan for, in the order of the input.
  public let kept: [Workload]
  /// In the order of the input.
  public let refused: [Unserved]
  /// What each workload of a namespace with a quota needs, by id; what no instance can serve needs nothing.
  package let needs: [String: Double]

  /// Where time is over before their capacities are known, workloads count what the capacities need that are: rather too much.
  ///
  /// O(workloads x columns x slices^2) for those of namespaces with quotas, and what their capacities take the first time.
  public init(_ input: PlanningInput, _ context: PlanningContext) {
    let limits = Dictionary(input.quotas.map { ($0.namespace, $0.gpus) }, uniquingKeysWith: { min($0, $1) })
    var bounded = input
    bounded.workloads = input.workloads.filter { limits[$0.namespace] != nil }
    bounded.current = nil
    guard !bounded.workloads.isEmpty else {
      (kept, refused, needs) = (input.workloads, [], [:])
      return
    }
    let market = Market(bounded, support: .everything, context)
    let order = bounded.workloads.indices.map { (workload: bounded.workloads[$0], need: market.leastShare(of: $0)) }
      .sorted { a, b in
        (b.workload.priority, a.need, a.workload.id) < (a.workload.priority, b.need, b.workload.id)
      }
    var used: [String: Double] = [:]
    var refusals: [String: Unserved] = [:]
    for (workload, need) in order {
      let (limit, before) = (limits[workload.namespace] ?? .infinity, used[workload.namespace] ?? 0)
      let excess = before + need - limit
      if excess > limit * Tolerance.relative {
        refusals[workload.id] = Self.refusal(workload, need, limit, before, excess)
      } else {
        used[workload.namespace] = before + need
      }
    }
    kept = input.workloads.filter { refusals[$0.id] == nil }
    refused = input.workloads.compactMap { refusals[$0.id] }
    needs = Dictionary(order.map { ($0.workload.id, $0.need) }, uniquingKeysWith: { first, _ in first })
  }

  /// The plan of ``kept``, as one of the whole demand. O(workloads log workloads).
  public func joined(to rest: Plan) -> Plan {
    guard !refused.isEmpty else { return rest }
    var plan = rest
    plan.unplaced = (rest.unplaced + refused).sorted { $0.workload < $1.workload }
    plan.status = .infeasible
    return plan
  }

  private static func refusal(
    _ workload: Workload, _ need: Double, _ limit: Double, _ used: Double, _ excess: Double
  ) -> Unserved {
    func text(_ value: Double) -> String { ((value * 1000).rounded() / 1000).shortText }
    return Unserved(
      workload: workload.id, code: .quotaExceeded,
      message: "it needs \(text(need)) GPUs at least; the quota is \(text(limit)), of which workloads before it need "
        + "\(text(used)), so that is \(text(max(excess, 0.001))) too many")
  }
}
