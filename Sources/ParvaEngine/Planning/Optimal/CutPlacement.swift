/// Gives every bought instance a place on a GPU cut for it.
enum CutPlacement {
  /// The segments of a workload stand together, in order of workload, so that neighbours in the input are neighbours on
  /// the GPUs. O(segments).
  static func place(
    _ packed: PackedCovers, _ model: PriceModel, _ market: Market
  ) -> [DraftGPU] {
    if let layout = packed.layout { return layout.draft(model) }
    var gpus: [DraftGPU] = []
    for (pool, packing) in zip(model.pools, packed.packings) {
      var queues = pool.columns.map { column in SegmentQueue(column, packed.assignment, model) }
      let marketPool = market.columns[model.columns[pool.columns.lowerBound]].pool
      for (cut, times) in zip(pool.table.maximalCuts, packing.multiplicities) {
        for _ in 0..<times {
          var segments: [DraftSegment] = []
          for placement in cut.placements {
            guard let kind = pool.table.kinds.firstIndex(of: placement.profile), let workload = queues[kind].next()
            else { continue }
            let column = model.columns[pool.columns.lowerBound + kind]
            segments.append(
              DraftSegment(workload: model.workloads[workload], column: column, start: placement.start))
          }
          gpus.append(DraftGPU(pool: marketPool, segments: segments))
        }
      }
    }
    return gpus.filter { !$0.segments.isEmpty }
  }
}

/// The workloads that still wait for an instance of one column, each as often as it bought one.
private struct SegmentQueue {
  private let column: Int
  private let width: Int
  private let covers: [Int32]
  private var workload = 0
  private var taken: Int32 = 0

  init(_ column: Int, _ assignment: CoverAssignment, _ model: PriceModel) {
    self.column = column
    width = model.columns.count
    covers = assignment.covers
  }

  /// Index into the model's workloads.
  mutating func next() -> Int? {
    while workload * width < covers.count {
      if taken < covers[workload * width + column] {
        taken += 1
        return workload
      }
      workload += 1
      taken = 0
    }
    return nil
  }
}
