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
    let needed = (fastest / HalfSLOAdmission.share * 1000).rounded(.up) / 1000
    return Unplaced(
      workload: workload.id, code: .sloUnreachable,
      message: "the fastest point of model \(workload.model) takes \(fastest.shortText) ms, and it must stay below "
        + "\(HalfSLOAdmission.share) x the SLO of \(workload.sloLatencyMs.shortText) ms; "
        + "an SLO above \(needed.shortText) ms can be served")
  }
}

extension Double {
  /// The value with at most three decimals, without trailing zeros, for messages.
  var shortText: String {
    guard magnitude < 1e12 else { return "\(self)" }
    let thousandths = Int((self * 1000).rounded())
    var digits = "\(thousandths.magnitude % 1000)"
    while digits.count < 3 { digits = "0" + digits }
    while digits.hasSuffix("0") { digits.removeLast() }
    let whole = "\(thousandths < 0 ? "-" : "")\(thousandths.magnitude / 1000)"
    return digits.isEmpty ? whole : "\(whole).\(digits)"
  }
}
