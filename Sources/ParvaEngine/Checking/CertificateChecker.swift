/// Works out the bound of a certificate again, from the demand, the profiles and the placements alone. It shares no code
/// with the planners: cuts, covers and capacities are its own.
public struct CertificateChecker {
  private let input: PlanningInput
  private let plan: Plan
  private let pools: [String: Pool]
  /// Served workloads by tenant, as namespace, label key and value; empty for those without.
  private let groups: [[String]: [Workload]]
  private let rates: [String: Double]

  public init(_ input: PlanningInput, _ plan: Plan) {
    self.input = input
    self.plan = plan
    pools = Dictionary(input.pools.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    let refused = Set(plan.unplaced.map(\.workload))
    groups = Dictionary(grouping: input.workloads.filter { !refused.contains($0.id) }, by: PlanChecker.tenant)
    rates = Dictionary(plan.partial.map { ($0.workload, $0.served) }, uniquingKeysWith: { first, _ in first })
  }

  /// O(workloads) covers and the cuts of each pool.
  public func judge(_ certificate: PlanCertificate) -> CertificateVerdict {
    let objective = CheckedObjective(certificate.objective, input.pools)
    let weights = objective.weights
    var verdict = CertificateVerdict(
      kind: certificate.kind, maxProcesses: certificate.maxProcesses, cost: objective.cost(of: plan), violations: [])
    checkShape(certificate, weights, &verdict.violations)
    guard verdict.violations.isEmpty else { return verdict }
    let capacities = CheckedCapacities(input, maxProcesses: certificate.maxProcesses)
    var bounds: [Double] = []
    for part in certificate.parts {
      let bound = bound(part, capacities, weights)
      if bound < part.bound - 1e-6 * max(1, part.bound.magnitude) {
        verdict.violations.append(
          PlanViolation(
            .boundNotProven,
            "the prices of \(Self.name(part.tenant)) prove \(bound), the certificate says \(part.bound)")
        )
      }
      bounds.append(bound)
    }
    // Each tenant pays whole GPUs.
    let least = bounds.reduce(0) { $0 + objective.least(from: $1) }
    verdict.verifiedBound = bounds.count == 1 ? bounds[0] : least
    verdict.verifiedLeast = least
    checkClaims(&verdict)
    return verdict
  }

  // MARK: - What the certificate says of itself

  private func checkShape(
    _ certificate: PlanCertificate, _ weights: [String: Double], _ found: inout [PlanViolation]
  ) {
    func wrong(_ message: String) { found.append(PlanViolation(.wrongCertificate, message)) }
    let tenants = certificate.parts.map(Self.key)
    if Set(tenants).count != tenants.count || Set(tenants) != Set(groups.keys) {
      wrong("the certificate has parts for \(tenants.count) tenants, the plan serves \(groups.count)")
    }
    let mostProcesses = plan.gpus.flatMap(\.segments).map(\.processes).max() ?? 1
    if certificate.maxProcesses < mostProcesses {
      wrong("the certificate allows \(certificate.maxProcesses) processes, the plan uses \(mostProcesses)")
    }
    if let most = plan.maxProcesses, most != certificate.maxProcesses {
      wrong("the certificate is about at most \(certificate.maxProcesses) processes, the plan about \(most)")
    }
    if let objective = plan.objective, objective != certificate.objective {
      wrong("the certificate is about \(certificate.objective.name), the plan about \(objective.name)")
    }
    for part in certificate.parts {
      if !part.bound.isFinite { wrong("a bound is not a number") }
      if Set(part.pools.map(\.pool)).count != part.pools.count { wrong("a pool is priced twice") }
      for priced in part.pools {
        guard let pool = pools[priced.pool], pool.product.name == priced.product.name else {
          wrong("there is no pool \(priced.pool) of \(priced.product.name)")
          continue
        }
        if let weight = weights[pool.name], !PlanChecker.same(weight, priced.weight) {
          wrong("a GPU of pool \(pool.name) counts \(weight), the certificate says \(priced.weight)")
        }
        if !(priced.stockPrice >= 0) || !priced.stockPrice.isFinite || (priced.stockPrice > 0 && pool.count == nil) {
          wrong("pool \(pool.name) cannot have the stock price \(priced.stockPrice)")
        }
        guard Set(priced.prices.map(\.profile)).count == priced.prices.count,
          priced.prices.allSatisfy({
            $0.value >= 0 && $0.value.isFinite && pool.product.profiles.indices.contains($0.profile)
          })
        else {
          wrong("the prices of pool \(pool.name) are not numbers from 0 on, one a profile")
          continue
        }
        let worth = dearestCut(pool.product, priced.prices)
        let limit = (weights[pool.name] ?? 0) + priced.stockPrice
        if worth > limit * (1 + 1e-9) {
          found.append(
            PlanViolation(
              .illegalPrices, "a GPU of pool \(pool.name) can be cut into instances worth \(worth), it costs \(limit)"))
        }
      }
    }
  }

  private func checkClaims(_ verdict: inout CertificateVerdict) {
    guard let bound = verdict.verifiedBound, let least = verdict.verifiedLeast else { return }
    let tolerance = 1e-6 * max(1, verdict.cost)
    let claimed = plan.summary.lowerBound ?? 0
    if claimed > verdict.cost + tolerance {
      verdict.violations.append(
        PlanViolation(.boundNotProven, "the lower bound \(claimed) is above the plan's own cost \(verdict.cost)"))
    }
    guard verdict.kind == .prices else { return }
    if claimed > bound + tolerance {
      verdict.violations.append(
        PlanViolation(.boundNotProven, "the prices prove \(bound), the plan says \(claimed)"))
    }
    if let gap = plan.summary.gap, verdict.cost - gap > least + tolerance {
      verdict.violations.append(
        PlanViolation(
          .boundNotProven, "the plan costs \(verdict.cost) and says gap \(gap); the prices prove \(least) at most"))
    }
  }

  // MARK: - Bound

  private func bound(
    _ part: PlanCertificate.Part, _ capacities: CheckedCapacities, _ weights: [String: Double]
  ) -> Double {
    let workloads = groups[Self.key(part)] ?? []
    let priced = Dictionary(part.pools.map { ($0.pool, $0) }, uniquingKeysWith: { first, _ in first })
    var sum = 0.0
    var floor = 0.0
    for workload in workloads {
      let offers = capacities.offers(workload)
      let rules = workload.constraints
      let losses = rules.survive?.losses ?? 0
      let domains = max(rules.spread?.atLeast ?? 1, losses + 1)
      let items = offers.map { offer in
        // What is not priced costs nothing.
        let price = priced[offer.pool.name]?.prices.first { $0.profile == offer.profile }?.value ?? 0
        return CheckedCover.Item(capacity: offer.capacity, price: price)
      }
      let count = max(domains, rules.replicas?.least ?? 1)
      let rate = rates[workload.id] ?? workload.rate
      if losses == 0, rules.replicas?.most == nil {
        sum += CheckedCover.leastPrice(items, rate: rate, count: count)
      } else {
        sum += CheckedSurvivor(
          items, rate: rate, whole: whole(rate, rules.survive, offers), losses: losses, count: count,
          most: rules.replicas?.most
        ).leastPrice()
      }
      if domains > 1 {
        // That many GPUs at least, of the cheapest pool at best.
        let cheapest = offers.compactMap { weights[$0.pool.name] }.min() ?? 0
        floor = max(floor, Double(domains) * cheapest)
      }
    }
    for pool in part.pools where pool.stockPrice > 0 {
      sum -= pool.stockPrice * Double(pools[pool.pool]?.count ?? 0)
    }
    return max(sum, floor)
  }

  /// What all instances of a workload carry at least where the rate is to survive losses: those that may be lost hold no less
  /// than their share.
  private func whole(_ rate: Double, _ survive: Survival?, _ offers: [CheckedCapacities.Offer]) -> Double {
    guard let survive else { return rate }
    let serving = Dictionary(offers.map { ($0.pool.name, $0.pool) }, uniquingKeysWith: { first, _ in first }).values
    let domains: Int
    if survive.over == .node {
      domains = Set(serving.flatMap { $0.nodes.filter { $0.count > 0 }.map(\.name) }).count
    } else if serving.contains(where: { $0.count == nil }) {
      return rate
    } else {
      domains = serving.reduce(0) { $0 + ($1.count ?? 0) }
    }
    return domains > survive.losses ? rate * Double(domains) / Double(domains - survive.losses) : rate
  }

  /// Worth of the dearest set of instances that one GPU can hold, by trying all: at each unit of the axis an instance
  /// starts or the unit stays free.
  private func dearestCut(_ product: GPUProduct, _ prices: [PlanCertificate.PoolPrices.Price]) -> Double {
    let kinds = prices.filter { $0.value > 0 }
    var used = [Int](repeating: 0, count: kinds.count)
    func best(from unit: Int, slices: Int) -> Double {
      guard unit < product.axisLength else { return 0 }
      var most = best(from: unit + 1, slices: slices)
      for (index, kind) in kinds.enumerated() {
        let profile = product.profiles[kind.profile]
        guard profile.starts.contains(unit), profile.computeSlices <= slices, used[index] < profile.maxInstances else {
          continue
        }
        used[index] += 1
        let rest = best(from: unit + profile.placementSize, slices: slices - profile.computeSlices)
        used[index] -= 1
        most = max(most, kind.value + rest)
      }
      return most
    }
    return best(from: 0, slices: product.computeSlices)
  }

  private static func key(_ part: PlanCertificate.Part) -> [String] {
    part.tenant.map { [$0.namespace, $0.key, $0.value] } ?? []
  }

  private static func name(_ tenant: Tenant?) -> String {
    tenant.map { "tenant \($0.key)=\($0.value) of the namespace \($0.namespace)" } ?? "the workloads without tenant"
  }
}
