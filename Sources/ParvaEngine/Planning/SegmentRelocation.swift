/// Segment relocation (SC'24, section 4): largest sizes first, each to the GPU that it fills most tightly.
enum SegmentRelocation {
  /// Places `segments` beside what stands on `gpus`, opening new GPUs at the end where nothing is free.
  /// O(segments x occupancy states).
  static func place(_ segments: [DraftSegment], onto gpus: [DraftGPU], _ market: Market) -> [DraftGPU] {
    let table = market.cuts[0]
    let product = table.product
    var draft = gpus
    var fit = TightestFit(product)
    for gpu in gpus {
      _ = fit.append(gpu.segments.map { Placement(profile: table.kinds[$0.kind], start: $0.start) })
    }
    let starts = table.kinds.map { StartPreference.starts(of: product.profiles[$0]) }
    // Kinds ascend by slices, so a stable walk from the last kind to the first is "largest first".
    var byKind = [[DraftSegment]](repeating: [], count: table.kinds.count)
    for segment in segments { byKind[segment.kind].append(segment) }
    for kind in table.kinds.indices.reversed() {
      for var segment in byKind[kind] {
        guard let place = fit.place(table.kinds[kind], starts: starts[kind]) else { continue }
        segment.start = place.start
        if place.gpu == draft.count { draft.append(DraftGPU(pool: 0, segments: [])) }
        draft[place.gpu].segments.append(segment)
      }
    }
    return draft
  }
}
