/// Segment relocation (SC'24, section 4): largest sizes first, each to the GPU that it fills most tightly.
struct SegmentRelocation {
  private let market: Market
  private let pool: Int
  private var fit: TightestFit
  /// Starts to try, by column of the pool.
  private let starts: [[Int]]
  private(set) var gpus: [DraftGPU] = []

  init(_ market: Market, _ pool: Int) {
    self.market = market
    self.pool = pool
    let product = market.cuts[pool].product
    fit = TightestFit(product)
    starts = market.poolColumns[pool].map { StartPreference.starts(of: product.profiles[market.columns[$0].profile]) }
  }

  /// Places `segments`, opening new GPUs at the end where nothing is free. O(segments x occupancy states).
  mutating func place(_ segments: [DraftSegment]) {
    for segment in largestFirst(segments) { _ = put(segment, opening: true) }
  }

  /// Replaces what stands on a GPU by `segments` on other GPUs; false, and nothing changed, when they do not all fit
  /// there without opening a new one.
  mutating func dissolve(_ gpu: Int, into segments: [DraftSegment]) -> Bool {
    let standing = gpus[gpu].segments
    fit.close(gpu)
    var moved: [Int] = []
    for segment in largestFirst(segments) {
      if let target = put(segment, opening: false) {
        moved.append(target)
        continue
      }
      for target in moved.reversed() {
        let segment = gpus[target].segments.removeLast()
        fit.remove(market.columns[segment.column].profile, start: segment.start, gpu: target)
      }
      fit.reopen(gpu, with: standing.map { Placement(profile: market.columns[$0.column].profile, start: $0.start) })
      return false
    }
    gpus[gpu].segments = []
    return true
  }

  private mutating func put(_ segment: DraftSegment, opening: Bool) -> Int? {
    let profile = market.columns[segment.column].profile
    guard let place = fit.place(profile, starts: starts[kind(segment)], opening: opening) else { return nil }
    if place.gpu == gpus.count { gpus.append(DraftGPU(pool: pool, segments: [])) }
    gpus[place.gpu].segments.append(
      DraftSegment(workload: segment.workload, column: segment.column, start: place.start))
    return place.gpu
  }

  private func kind(_ segment: DraftSegment) -> Int { segment.column - market.poolColumns[pool].lowerBound }

  /// Columns of a pool ascend by slices, so descending columns are "largest first"; order is kept within a column.
  private func largestFirst(_ segments: [DraftSegment]) -> [DraftSegment] {
    var byColumn = [[DraftSegment]](repeating: [], count: starts.count)
    for segment in segments { byColumn[kind(segment)].append(segment) }
    return byColumn.reversed().flatMap { $0 }
  }
}
