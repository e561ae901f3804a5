/// Says why no point of a model serves a workload, and what would be enough.
enum Unserviceable {
  /// Looks at all pools of the input; call only for a workload without any offer. O(points).
  static func reason(_ workload: Workload, _ input: PlanningInput) -> Unplaced {
    let products = Set(input.pools.map(\.product.name)).sorted()
    let points = products.compactMap { input.profiles.profile(model: workload.model, product: $0) }.flatMap(\.points)
    guard !points.isEmpty else {
      return Unplaced(
        workload: workload.id, code: .noProfile,
        message: "no profile of model \(workload.model) on \(products.joined(separator: ", ")); add one and plan again")
    }
    let limit = input.options.maxProcesses
    guard let fastest = points.filter({ $0.processes <= limit }).map(\.latencyMs).min() else {
      return Unplaced(
        workload: workload.id, code: .processLimit,
        message: "every point of model \(workload.model) runs more than \(limit) processes; raise the limit")
    }
    if input.options.admission == .certified { return uncertified(workload, products, input) }
    let needed = (fastest / HalfSLOAdmission.share * 1000).rounded(.up) / 1000
    return Unplaced(
      workload: workload.id, code: .sloUnreachable,
      message: "the fastest point of model \(workload.model) takes \(fastest.shortText) ms, and it must stay below "
        + "\(HalfSLOAdmission.share) x the SLO of \(workload.sloLatencyMs.shortText) ms; "
        + "an SLO above \(needed.shortText) ms can be served")
  }
}

extension Unserviceable {
  private static func uncertified(_ workload: Workload, _ products: [String], _ input: PlanningInput) -> Unplaced {
    if case .trace(let name) = workload.arrivals, input.traces[name] == nil {
      return Unplaced(
        workload: workload.id, code: .unknownTrace,
        message: "the workload arrives by trace \(name), which the planner was not given; give it the recording")
    }
    guard CapacityGrid.tail(percentile: workload.percentile) != nil else {
      return Unplaced(
        workload: workload.id, code: .sloUnreachable,
        message: "percentile \(workload.percentile) is more than can be certified; at most "
          + "\(1 - CapacityGrid.leastTail) can")
    }
    let admissions = CertifiedAdmissions(input)
    let least = input.pools.compactMap { admissions.admission(workload, $0.product)?.leastObjective() }.min()
    let promise =
      "no point of model \(workload.model) keeps \(workload.percentile) of the requests within "
      + "\(workload.sloLatencyMs.shortText) ms under the declared arrivals at any load"
    return Unplaced(
      workload: workload.id, code: .sloUnreachable,
      message: least.map { "\(promise); an SLO of \((($0 * 1000).rounded(.up) / 1000).shortText) ms can be served" }
        ?? promise)
  }
}
