/// Says why no point of a model serves a workload, and what would be enough.
enum Unserviceable {
  /// Looks at all pools of the input; call only for a workload without any offer. O(points).
  static func reason(_ workload: Workload, _ input: PlanningInput) -> Unserved {
    let products = Set(input.pools.map(\.product.name)).sorted()
    let points = products.compactMap {
      input.profiles.profile(model: workload.model, product: $0, for: workload.id)
    }.flatMap(\.points)
    guard !points.isEmpty else {
      return Unserved(
        workload: workload.id, code: .noProfile,
        message: "no profile of model \(workload.model) on \(products.joined(separator: ", ")); add one and plan again")
    }
    let limit = workload.mostProcesses(input.options.maxProcesses)
    guard points.contains(where: { $0.processes <= limit }) else {
      return Unserved(
        workload: workload.id, code: .processLimit,
        message: "every point of model \(workload.model) runs more than \(limit) processes; raise the limit")
    }
    return input.options.admission.reason(workload, input)
  }
}
