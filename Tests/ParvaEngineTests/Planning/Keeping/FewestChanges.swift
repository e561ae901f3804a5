import ParvaEngine

/// Looks through all plans near a current one, for small demands on one pool with one point per profile.
struct FewestChanges {
  private struct Instance {
    var workload: Int
    var profile: Int
    var start: Int
  }

  private let input: PlanningInput
  private let product: GPUProduct
  private let gpuLimit: Int
  /// Per workload and profile, requests per second.
  private var capacities: [[Double]] = []
  private var before: [Int]
  /// Changes of workloads that are gone.
  private var gone = 0
  private var current: [[Instance]] = []

  init(_ input: PlanningInput, current plan: Plan, gpus: Int) {
    self.input = input
    product = input.pools[0].product
    gpuLimit = gpus
    before = input.workloads.map { _ in 0 }
    for workload in input.workloads {
      let points = input.profiles.profile(model: workload.model, product: product.name)?.points ?? []
      capacities.append(
        product.profiles.indices.map { profile in points.first { $0.profile == profile }?.throughput ?? 0 })
    }
    for gpu in plan.gpus {
      var slot: [Instance] = []
      for segment in gpu.segments {
        guard let workload = input.workloads.firstIndex(where: { $0.id == segment.workload }) else {
          gone += 1
          continue
        }
        before[workload] += 1
        slot.append(Instance(workload: workload, profile: segment.profile, start: segment.start))
      }
      current.append(slot)
    }
  }

  /// Whether some plan within the number of GPUs has at most `limit` changed segments.
  func exists(within limit: Int) -> Bool {
    drop(0, 0, [], limit - gone)
  }

  /// Every set of segments that stay.
  private func drop(_ gpu: Int, _ index: Int, _ slots: [[Instance]], _ limit: Int) -> Bool {
    var slots = slots
    if gpu == slots.count { slots.append([]) }
    guard gpu < current.count else { return changes(slots) <= limit && fill(slots, limit) }
    guard index < current[gpu].count else { return drop(gpu + 1, 0, slots, limit) }
    var kept = slots
    kept[gpu].append(current[gpu][index])
    return drop(gpu, index + 1, kept, limit) || drop(gpu, index + 1, slots, limit)
  }

  private func changes(_ slots: [[Instance]]) -> Int {
    var now = before.map { _ in 0 }
    var kept = now
    for (gpu, slot) in slots.enumerated() {
      for instance in slot {
        now[instance.workload] += 1
        let stayed =
          gpu < current.count
          && current[gpu].contains {
            $0.workload == instance.workload && $0.profile == instance.profile && $0.start == instance.start
          }
        if stayed { kept[instance.workload] += 1 }
      }
    }
    return before.indices.reduce(0) { $0 + max(before[$1], now[$1]) - kept[$1] }
  }

  /// Adds instances for the first workload that lacks something, everywhere they fit.
  private func fill(_ slots: [[Instance]], _ limit: Int) -> Bool {
    guard slots.count(where: { !$0.isEmpty }) <= gpuLimit else { return false }
    var capacity = before.map { _ in 0.0 }
    for instance in slots.joined() { capacity[instance.workload] += capacities[instance.workload][instance.profile] }
    guard
      let lacking = capacity.indices.first(where: { capacity[$0] < input.workloads[$0].rate * (1 - 1e-9) })
    else { return true }
    var triedEmpty = false
    for gpu in 0...slots.count {
      let slot = gpu < slots.count ? slots[gpu] : []
      // Empty GPUs that held something before are not alike: a segment may return to its place. Beyond them they are.
      if gpu >= current.count, slot.isEmpty {
        guard !triedEmpty else { continue }
        triedEmpty = true
      }
      let taken = slot.reduce(UInt64(0)) { $0 | product.profiles[$1.profile].mask(at: $1.start) }
      let slices = slot.reduce(0) { $0 + product.profiles[$1.profile].computeSlices }
      for (profile, value) in capacities[lacking].enumerated() where value > 0 {
        let kind = product.profiles[profile]
        guard slices + kind.computeSlices <= product.computeSlices else { continue }
        for start in kind.starts where kind.mask(at: start) & taken == 0 {
          var next = slots
          if gpu == next.count { next.append([]) }
          next[gpu].append(Instance(workload: lacking, profile: profile, start: start))
          if changes(next) <= limit, fill(next, limit) { return true }
        }
      }
    }
    return false
  }
}
