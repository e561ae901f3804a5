/// Covers for every workload of a model, packed into GPUs.
struct PackedCovers: Sendable {
  var assignment: CoverAssignment
  /// One per pool of the model.
  var packings: [CutPacking]
  /// Where each instance stands, for models with workloads that must be spread; nil for others.
  var layout: SpreadLayout?
  /// GPUs per pool of the model.
  var counts: [Int]
  /// GPUs times weight over all pools.
  var cost: Double
  /// Whether no pool needs more GPUs than it has.
  var fitsStock: Bool

  init(_ assignment: CoverAssignment, _ model: PriceModel) {
    self.assignment = assignment
    packings = model.pools.map { CutPacking(Array(assignment.totals[$0.columns]), $0.table) }
    layout = model.spreads.isEmpty ? nil : SpreadLayout(assignment, packings, model)
    counts = layout?.counts ?? packings.map(\.gpuCount)
    (cost, fitsStock) = PackedCovers.judge(counts, model)
    if layout?.isComplete == false { fitsStock = false }
  }

  /// Covers with a layout that keeps every spread.
  init(_ assignment: CoverAssignment, _ layout: SpreadLayout, _ model: PriceModel) {
    self.assignment = assignment
    self.layout = layout
    packings = model.pools.map { CutPacking(Array(assignment.totals[$0.columns]), $0.table) }
    counts = layout.counts
    (cost, fitsStock) = PackedCovers.judge(counts, model)
  }

  /// What a layout holds that keeps every spread and survives what it must.
  init(_ layout: [SpreadLayout.GPU], _ model: PriceModel) {
    let width = model.columns.count
    var assignment = CoverAssignment(
      covers: [Int32](repeating: 0, count: model.rates.count * width), totals: [Int](repeating: 0, count: width))
    for slot in layout.flatMap(\.slots) {
      guard let workload = slot.workload else { continue }
      assignment.covers[workload * width + slot.column] += 1
      assignment.totals[slot.column] += 1
    }
    self.init(assignment, SpreadLayout(layout, model), model)
  }

  private static func judge(_ counts: [Int], _ model: PriceModel) -> (cost: Double, fitsStock: Bool) {
    let cost = zip(model.pools, counts).reduce(0) { $0 + $1.0.weight * Double($1.1) }
    return (cost, zip(model.pools, counts).allSatisfy { pool, count in count <= pool.stock ?? .max })
  }

  /// Feasible before infeasible, then cheaper.
  func isBetter(than other: PackedCovers) -> Bool {
    fitsStock != other.fitsStock ? fitsStock : cost < other.cost - 1e-9
  }
}
