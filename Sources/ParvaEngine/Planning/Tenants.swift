/// Which workloads may share GPUs, as numbers: 0 for those that are not exclusive.
struct Tenants {
  private(set) var numbers: [Int]
  private let byID: [String: Int]
  let count: Int

  /// O(workloads).
  init(_ market: Market) {
    let tenants = market.input.workloads.map(\.tenant)
    let known = Set(tenants.compactMap { $0 }).sorted()
    let numberOf = Dictionary(known.enumerated().map { ($0.element, $0.offset + 1) }, uniquingKeysWith: { a, _ in a })
    numbers = tenants.map { tenant in tenant.flatMap { numberOf[$0] } ?? 0 }
    count = known.count + 1
    byID =
      known.isEmpty
      ? [:]
      : Dictionary(
        market.input.workloads.enumerated().map { ($0.element.id, $0.offset) }, uniquingKeysWith: { a, _ in a })
  }

  /// The tenant that a GPU belongs to.
  func of(_ gpu: DraftGPU) -> Int { gpu.segments.first.map { numbers[$0.workload] } ?? 0 }

  /// The GPUs of a plan by the tenant that has a segment there.
  func split(_ plan: Plan) -> [Int: [PlannedGPU]] {
    Dictionary(grouping: plan.gpus) { gpu in
      gpu.segments.lazy.compactMap { byID[$0.workload] }.first.map { numbers[$0] } ?? 0
    }
  }
}
