import ParvaEngine
import ParvaTestSupport

/// Random transitions between legal layouts.
struct RandomTransition {
  var random: SeededGenerator
  let products: [GPUProduct]
  /// Share of room that is cut, 0...1.
  let fill: Double

  init(seed: UInt64, products: [GPUProduct], fill: Double) {
    random = SeededGenerator(seed: seed)
    self.products = products
    self.fill = fill
  }

  mutating func input(gpus count: Int, workloads: Int, change: Double) -> TransitionInput {
    var rates: [String: (before: Double, after: Double)] = [:]
    let gpus = (0..<count).map { index -> TransitionInput.GPU in
      let product = products[index % products.count]
      let before = layout(product, [], workloads, "\(index)")
      let kept = before.filter { _ in Double.random(in: 0..<1, using: &random) > change }
      let after = kept + layout(product, kept, workloads, "\(index)'")
      for segment in before { rates[segment.workload, default: (0, 0)].before += segment.capacity }
      for segment in after { rates[segment.workload, default: (0, 0)].after += segment.capacity }
      return TransitionInput.GPU(
        name: "GPU-\(index)", node: "n\(index / 2)", product: product, before: before, after: after)
    }
    var services: [String: TransitionInput.Service] = [:]
    for name in rates.keys.sorted() {
      let rate = rates[name] ?? (0, 0)
      let share = Double.random(in: 0.6...1, using: &random)
      services[name] = TransitionInput.Service(rateBefore: rate.before * share, rateAfter: rate.after * share)
    }
    return TransitionInput(gpus: gpus, services: services)
  }

  /// Segments in random room beside `kept`.
  private mutating func layout(
    _ product: GPUProduct, _ kept: [StandingSegment], _ workloads: Int, _ mark: String
  ) -> [StandingSegment] {
    var taken = kept.reduce(UInt64(0)) { $0 | product.profiles[$1.placement.profile].mask(at: $1.placement.start) }
    var slices = kept.reduce(0) { $0 + product.profiles[$1.placement.profile].computeSlices }
    var counts: [Int: Int] = [:]
    for segment in kept { counts[segment.placement.profile, default: 0] += 1 }
    var found: [StandingSegment] = []
    for profile in product.plannedProfiles.shuffled(using: &random) {
      for start in product.profiles[profile].starts.shuffled(using: &random) {
        let mask = product.profiles[profile].mask(at: start)
        guard mask & taken == 0, slices + product.profiles[profile].computeSlices <= product.computeSlices,
          counts[profile, default: 0] < product.profiles[profile].maxInstances,
          Double.random(in: 0..<1, using: &random) < fill
        else { continue }
        taken |= mask
        slices += product.profiles[profile].computeSlices
        counts[profile, default: 0] += 1
        let workload = Int.random(in: 0..<workloads, using: &random)
        found.append(
          StandingSegment(
            workload: "w\(workload)", id: "w\(workload)/\(mark)\(profile).\(start)", model: "m",
            placement: Placement(profile: profile, start: start), batch: Int.random(in: 1...2, using: &random),
            processes: 1, capacity: Double(product.profiles[profile].computeSlices) * Double(100 + workload)))
      }
    }
    return found
  }
}

/// Every order of few old segments, tried by brute force: the least shortfall that any has without segments for the way.
struct EveryOrder {
  private(set) var shortfall = Double.infinity

  init(_ input: TransitionInput) {
    var olds: [(gpu: Int, segment: StandingSegment)] = []
    var standing: [[StandingSegment]] = []
    var pending: [[StandingSegment]] = []
    for (index, gpu) in input.gpus.enumerated() {
      standing.append(gpu.before)
      pending.append(gpu.after.filter { new in !gpu.before.contains { $0.runsAs(new) } })
      olds += gpu.before.filter { old in !gpu.after.contains { $0.runsAs(old) } }.map { (index, $0) }
    }
    // No order falls less short than the beginning itself.
    walk(input, olds, standing, pending, 0)
  }

  private mutating func walk(
    _ input: TransitionInput, _ olds: [(gpu: Int, segment: StandingSegment)], _ standing: [[StandingSegment]],
    _ pending: [[StandingSegment]], _ worst: Double
  ) {
    guard worst < shortfall else { return }
    var (standing, pending) = (standing, pending)
    for gpu in standing.indices {
      for new in pending[gpu] where Self.fits(new, standing[gpu], input.gpus[gpu].product) {
        standing[gpu].append(new)
        pending[gpu].removeAll { $0 == new }
      }
    }
    guard !olds.isEmpty else {
      shortfall = worst
      return
    }
    for (index, old) in olds.enumerated() {
      let service = input.services[old.segment.workload] ?? TransitionInput.Service(rateBefore: 0, rateAfter: 0)
      let floor = min(service.rateBefore, service.rateAfter)
      let up = standing.joined().filter { $0.workload == old.segment.workload }.reduce(0) { $0 + $1.capacity }
      let left = up - old.segment.capacity
      let lack = floor > 0 && left < floor * (1 - 1e-9) ? (floor - left) / floor : 0
      var rest = olds
      rest.remove(at: index)
      var after = standing
      after[old.gpu].removeAll { $0 == old.segment }
      walk(input, rest, after, pending, max(worst, lack))
    }
  }

  private static func fits(_ new: StandingSegment, _ there: [StandingSegment], _ product: GPUProduct) -> Bool {
    let profile = product.profiles[new.placement.profile]
    let mask = profile.mask(at: new.placement.start)
    let clash = there.contains { product.profiles[$0.placement.profile].mask(at: $0.placement.start) & mask != 0 }
    let slices = there.reduce(profile.computeSlices) { $0 + product.profiles[$1.placement.profile].computeSlices }
    return !clash && slices <= product.computeSlices
      && there.count { $0.placement.profile == new.placement.profile } < profile.maxInstances
  }
}
