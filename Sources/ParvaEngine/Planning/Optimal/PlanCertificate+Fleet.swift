extension PlanCertificate {
  /// The prices behind the bound of a fleet.
  init(_ fleet: TenantSolver.Fleet?, _ market: Market) {
    let options = market.input.options
    self.init(
      kind: fleet?.isExhaustive == true ? .exhaustive : .prices, objective: options.objective,
      maxProcesses: options.maxProcesses, parts: fleet?.proofs.map { Part($0, market) } ?? [])
  }
}

extension PlanCertificate.Part {
  fileprivate init(_ proof: CoverOptimizer.Outcome, _ market: Market) {
    let tenant = proof.model.workloads.first.flatMap { market.input.workloads[$0].tenant }
    // Pools that were planned as one have the same prices.
    let pools = zip(proof.model.pools, proof.ascent.stockPrices).flatMap { pool, stockPrice in
      market.classes.members[pool.marketPool].sorted().map { member in
        PlanCertificate.PoolPrices(
          pool: market.classes.pools[member].name, product: pool.table.product, weight: pool.weight,
          stockPrice: stockPrice,
          prices: zip(pool.table.kinds, pool.columns).map { .init(profile: $0, value: proof.ascent.prices[$1]) })
      }
    }
    self.init(tenant: tenant, bound: max(proof.ascent.bound, proof.model.spreadFloor), pools: pools)
  }
}
