/// What instances can do for workloads, worked out for ``CertificateChecker`` by the judge of the admission rule.
struct CheckedCapacities {
  struct Offer {
    var pool: Pool
    var profile: Int
    /// Requests per second, above 0.
    var capacity: Double
  }

  /// No workload has more segments; an instance of which it would need more is not looked at where there is a larger one.
  private static let mostSegments = 100_000.0

  private let input: PlanningInput
  private let maxProcesses: Int
  private let judge: any CapacityJudge

  init(_ input: PlanningInput, maxProcesses: Int) {
    self.input = input
    self.maxProcesses = maxProcesses
    judge = input.options.admission.judge(input)
  }

  /// The most that each plain instance of each allowed pool may be given. O(points of the model), and what the judge has
  /// to find out.
  func offers(_ workload: Workload) -> [Offer] {
    let rules = workload.constraints
    let all = input.pools.flatMap { pool -> [Offer] in
      let product = pool.product
      let isWanted =
        (rules.products.isEmpty || rules.products.contains(product.name))
        && !rules.excludeProducts.contains(product.name)
        && (rules.pools.isEmpty || rules.pools.contains(pool.name)) && !rules.excludePools.contains(pool.name)
        && (rules.spread?.over != .node && rules.survive?.over != .node || !pool.nodes.isEmpty)
      guard isWanted,
        let known = input.profiles.profile(model: workload.model, product: product.name, for: workload.id)
      else { return [] }
      let most = judge.most(workload, known, maxProcesses: workload.mostProcesses(maxProcesses))
      return product.profiles.indices.compactMap { profile in
        guard let capacity = most[profile], capacity > 0, product.profiles[profile].isPlain else { return nil }
        return Offer(pool: pool, profile: profile, capacity: capacity)
      }
    }
    let worthwhile = all.filter { $0.capacity > workload.rate / Self.mostSegments }
    return worthwhile.isEmpty ? all : worthwhile
  }
}
