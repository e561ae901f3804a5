/// Prices that show of many sets of workloads that the stock does not hold them, without a search.
///
/// Let `p` be prices of instances, one vector per tenant, and `m_j` the most that a GPU of pool `j` is worth at any of them. Whatever
/// stands on the stock is worth at most `sum_j m_j N_j`, and whoever is served has a cover that costs what the cheapest one does at least. So
/// no plan within the stock serves a set whose cheapest covers cost more together - whatever the prices are, and wherever they come from.
struct ShortageProofs {
  private struct Proof {
    /// By tenant, per column of the market.
    var prices: [Int: [Double]]
    /// What all GPUs are worth.
    var worth: Double
    /// Cheapest cover by workload, as far as it was asked for.
    var costs: [Int: Double] = [:]
    /// How often it was of use.
    var uses = 0
  }

  /// Share by which covers have to cost more than all GPUs: far above rounding.
  private static let tolerance = 1e-7
  /// Proofs kept; beyond it the one that was of least use goes.
  private static let limit = 24

  private let market: Market
  private let tenants: Tenants
  private let stock: [Int?]
  private var proofs: [Proof] = []
  private var solver: CoverSolver

  init(_ market: Market, _ supply: Supply) {
    self.market = market
    tenants = Tenants(market)
    stock = supply.counts
    solver = CoverSolver(kinds: market.columns.count)
  }

  /// Takes the prices at which a solve for some workloads ended, where they show that these do not fit; whether they do. A cover a
  /// workload.
  mutating func learn(_ fleet: TenantSolver.Fleet, of workloads: [Int], _ supply: Supply) -> Bool {
    guard !fleet.shortage.isEmpty, let proof = proof(fleet) else { return false }
    proofs.append(proof)
    guard fitting(workloads[...], beside: [], supply, from: proofs.count - 1) < workloads.count else {
      proofs.removeLast()
      return false
    }
    if proofs.count > Self.limit, let least = proofs.indices.dropLast().min(by: { proofs[$0].uses < proofs[$1].uses }) {
      proofs.remove(at: least)
    }
    return true
  }

  /// How many of some workloads, from the first on, may fit beside others for all that is known. A cover for each workload and proof
  /// the first time, O(workloads x proofs) from then on.
  mutating func fitting(_ workloads: ArraySlice<Int>, beside served: [Int], _ supply: Supply) -> Int {
    fitting(workloads, beside: served, supply, from: 0)
  }

  private mutating func fitting(
    _ workloads: ArraySlice<Int>, beside served: [Int], _ supply: Supply, from first: Int
  ) -> Int {
    var most = workloads.count
    for number in proofs.indices.dropFirst(first) {
      let worth = proofs[number].worth * (1 + Self.tolerance) + 1e-12
      var sum = 0.0
      for workload in served { sum += cost(workload, number, supply) }
      for (place, workload) in workloads.prefix(most).enumerated() {
        sum += cost(workload, number, supply)
        guard sum > worth else { continue }
        proofs[number].uses += 1
        most = place
        break
      }
    }
    return most
  }

  /// Nil where GPUs without a limit are worth something, or nothing is.
  private func proof(_ fleet: TenantSolver.Fleet) -> Proof? {
    var prices: [Int: [Double]] = [:]
    for (proof, own) in zip(fleet.proofs, fleet.shortage) {
      guard let workload = proof.model.workloads.first else { continue }
      var all = [Double](repeating: 0, count: market.columns.count)
      for (column, price) in zip(proof.model.columns, own) { all[column] = max(0, price) }
      prices[tenants.numbers[workload]] = all
    }
    var worth = 0.0
    for (pool, columns) in market.poolColumns.enumerated() {
      let most =
        market.cuts[pool].maximalCuts.flatMap { cut in
          prices.values.map { own in zip(cut.counts, columns).reduce(0) { $0 + Double($1.0) * own[$1.1] } }
        }.max() ?? 0
      guard most > 0 else { continue }
      guard let count = stock[pool] else { return nil }
      worth += most * Double(count)
    }
    return worth > 0 ? Proof(prices: prices, worth: worth) : nil
  }

  private mutating func cost(_ workload: Int, _ number: Int, _ supply: Supply) -> Double {
    let part = supply.rates[workload]
    if part == nil, let known = proofs[number].costs[workload] { return known }
    // Nothing is known of a tenant that had no workloads then.
    guard let prices = proofs[number].prices[tenants.numbers[workload]] else { return 0 }
    let row = workload * market.columns.count
    let capacities = (0..<market.columns.count).map { market.offers[row + $0].capacity }
    let least = solver.solve(
      capacities: capacities[...], rate: part ?? market.input.workloads[workload].rate, prices: prices,
      rule: market.rule(workload))
    let cost = least < .infinity ? solver.lowerBound : 0
    if part == nil { proofs[number].costs[workload] = cost }
    return cost
  }
}
