/// What instances can do for workloads, worked out from the profile points for ``CertificateChecker``.
struct CheckedCapacities {
  struct Offer {
    var pool: Pool
    var profile: Int
    /// Requests per second, above 0.
    var capacity: Double
  }

  private let input: PlanningInput
  private let maxProcesses: Int
  /// The door to certified capacities, for plans by that rule.
  private let admissions: CertifiedAdmissions

  init(_ input: PlanningInput, maxProcesses: Int) {
    var input = input
    input.options.maxProcesses = maxProcesses
    self.input = input
    self.maxProcesses = maxProcesses
    admissions = CertifiedAdmissions(input)
  }

  /// The most that each plain instance of each allowed pool may be given. O(points of the model), and with rule
  /// `certified` the runs that were not made before.
  func offers(_ workload: Workload) -> [Offer] {
    let rules = workload.placement
    return input.pools.flatMap { pool -> [Offer] in
      let product = pool.product
      let isWanted =
        (rules.products.isEmpty || rules.products.contains(product.name))
        && !rules.excludeProducts.contains(product.name)
        && (rules.pools.isEmpty || rules.pools.contains(pool.name)) && !rules.excludePools.contains(pool.name)
        && (rules.spread?.over != .node || !pool.nodes.isEmpty)
      guard isWanted, let known = input.profiles.profile(model: workload.model, product: product.name) else {
        return []
      }
      var most = [Double](repeating: 0, count: product.profiles.count)
      switch input.options.admission {
      case .certified:
        let step = CapacityGrid.step(ofObjective: workload.sloLatencyMs)
        guard let admission = admissions.admission(workload, product) else { return [] }
        for profile in Set(known.points.map(\.profile)) {
          most[profile] = admission.offers(kind: profile, steps: [step])[0].capacity
        }
      case .halfSLO:
        for point in known.points
        where point.processes <= maxProcesses && point.latencyMs < 0.45 * workload.sloLatencyMs {
          most[point.profile] = max(most[point.profile], point.throughput)
        }
      }
      return most.indices.filter { most[$0] > 0 && product.profiles[$0].isPlain }.map {
        Offer(pool: pool, profile: $0, capacity: most[$0])
      }
    }
  }
}
