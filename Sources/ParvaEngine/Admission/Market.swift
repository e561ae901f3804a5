/// Everything the planners ask about demand and supply, worked out once per input: for each workload and pool, what
/// every instance kind of the pool's product can do for it.
struct Market: Sendable {
  let input: PlanningInput
  /// One per pool.
  let cuts: [CutTable]
  /// `offers[workload][pool]`.
  let offers: [[OfferRow]]

  /// O(workloads x pools x kinds x log points).
  init(_ input: PlanningInput) {
    self.input = input
    var tables: [String: CutTable] = [:]
    cuts = input.pools.map { pool in
      if let table = tables[pool.product.name] { return table }
      let table = CutTable(pool.product)
      tables[pool.product.name] = table
      return table
    }
    var admissions: [String: [HalfSLOAdmission?]] = [:]
    let cuts = self.cuts
    offers = input.workloads.map { workload in
      if admissions[workload.model] == nil {
        admissions[workload.model] = input.pools.indices.map { pool in
          input.profiles.profile(model: workload.model, product: input.pools[pool].product.name).map {
            HalfSLOAdmission($0, kinds: cuts[pool].kinds, maxProcesses: input.options.maxProcesses)
          }
        }
      }
      return (admissions[workload.model] ?? []).enumerated().map { pool, admission in
        admission?.offers(sloLatencyMs: workload.sloLatencyMs)
          ?? OfferRow(repeating: nil, count: cuts[pool].kinds.count)
      }
    }
  }
}
