/// The plan in force as far as it can stay: its GPUs with those of their segments that a new plan may keep.
///
/// A segment may stay when its workload is still served and its point - profile, batch, processes - is still the best one
/// of that profile for the workload. A GPU may stay when its pool is still there with the same product.
struct CurrentSlots {
  /// In order of the current plan.
  var slots: [DraftGPU] = []

  /// `workloads` has their indices by id, see ``Market/numbers``; `isServed` says which get anything at all. O(segments).
  init(_ current: Plan, _ market: Market, _ workloads: [String: Int], isServed: [Bool]) {
    let classes = market.classes
    let pools = Dictionary(
      classes.pools.enumerated().map { ($0.element.name, $0.offset) }, uniquingKeysWith: { first, _ in first })
    var uuids: Set<String> = []
    var left = classes.pools.map { $0.count ?? .max }
    var nodes = classes.pools.map { pool in
      Dictionary(pool.nodes.map { ($0.name, $0.count) }, uniquingKeysWith: +)
    }
    for gpu in current.gpus {
      guard let home = pools[gpu.pool], classes.pools[home].product.name == gpu.product.name else { continue }
      // A GPU named twice is one GPU.
      if let uuid = gpu.uuid, !uuids.insert(uuid).inserted { continue }
      let pool = classes.classOf[home]
      // What one of several equal pools has no room for is gone; of a single pool the plan chooses what to give up.
      if classes.members[pool].count > 1 {
        guard left[home] > 0 else { continue }
        left[home] -= 1
      }
      var slot = DraftGPU(pool: pool, node: gpu.node, uuid: gpu.uuid, segments: [])
      slot.home = home
      if !nodes[home].isEmpty, let node = gpu.node {
        // A node that is gone, or has fewer GPUs now, took its GPUs with it.
        if let left = nodes[home][node], left > 0 {
          nodes[home][node] = left - 1
        } else {
          (slot.node, slot.uuid) = (nil, nil)
        }
      }
      let product = market.input.pools[pool].product
      var taken: UInt64 = 0
      var slices = 0
      for segment in gpu.segments {
        guard let workload = workloads[segment.workload], isServed[workload],
          market.input.workloads[workload].model == segment.model,
          gpu.product.profiles.indices.contains(segment.profile),
          let profile = product.profileIndex(driverID: gpu.product.profiles[segment.profile].driverProfileID),
          let column = market.poolColumns[pool].first(where: { market.columns[$0].profile == profile })
        else { continue }
        let kind = product.profiles[profile]
        let offer = market.offer(workload, column)
        guard offer.capacity > 0, Int(offer.batch) == segment.batch, Int(offer.processes) == segment.processes,
          kind.starts.contains(segment.start), kind.mask(at: segment.start) & taken == 0,
          slices + kind.computeSlices <= product.computeSlices
        else { continue }
        taken |= kind.mask(at: segment.start)
        slices += kind.computeSlices
        slot.segments.append(
          DraftSegment(
            workload: workload, column: column, start: segment.start, ordinal: segment.ordinal, isKept: true))
      }
      slots.append(slot)
    }
  }
}

extension Market {
  /// Index of each workload by its id. O(workloads).
  var numbers: [String: Int] {
    Dictionary(
      zip(input.workloads.lazy.map(\.id), input.workloads.indices), uniquingKeysWith: { first, _ in first })
  }

  /// Segments of a plan per workload, whether they can stay or not; `numbers` are those of the market. O(segments).
  func segments(of plan: Plan, _ numbers: [String: Int]) -> [Int] {
    var counts = [Int](repeating: 0, count: input.workloads.count)
    for gpu in plan.gpus {
      for segment in gpu.segments { if let workload = numbers[segment.workload] { counts[workload] += 1 } }
    }
    return counts
  }
}
