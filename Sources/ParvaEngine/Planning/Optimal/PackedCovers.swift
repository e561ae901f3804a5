/// Covers for every workload of a model, packed into GPUs.
struct PackedCovers: Sendable {
  var assignment: CoverAssignment
  /// One per pool of the model.
  var packings: [CutPacking]
  /// GPUs times weight over all pools.
  var cost: Double
  /// Whether no pool needs more GPUs than it has.
  var fitsStock: Bool

  init(_ assignment: CoverAssignment, _ model: PriceModel) {
    self.assignment = assignment
    packings = model.pools.map { CutPacking(Array(assignment.totals[$0.columns]), $0.table) }
    cost = zip(model.pools, packings).reduce(0) { $0 + $1.0.weight * Double($1.1.gpuCount) }
    fitsStock = zip(model.pools, packings).allSatisfy { pool, packing in packing.gpuCount <= pool.stock ?? .max }
  }

  /// Feasible before infeasible, then cheaper.
  func isBetter(than other: PackedCovers) -> Bool {
    fitsStock != other.fitsStock ? fitsStock : cost < other.cost - 1e-9
  }
}
