/// The segments of a transition by number, and what stands at one moment of it.
///
/// Everything that a step asks costs O(segments of one GPU).
struct TransitionFleet {
  /// One segment that stands, is to stand, or helps on the way.
  struct Unit {
    enum Role { case kept, old, new, temporary }

    var role: Role
    var gpu: Int
    /// Index into ``TransitionFleet/workloads``.
    var workload: Int
    var segment: StandingSegment
    /// Requests per second that count while it stands.
    var capacity: Double
    var mask: UInt64
  }

  let input: TransitionInput
  /// By name.
  let workloads: [String]
  let services: [TransitionInput.Service]
  private(set) var units: [Unit] = []
  /// Of each GPU, by start: what stands there, and what is to come.
  private(set) var standing: [[Int]]
  private(set) var pending: [[Int]]
  /// Requests per second of what stands, by workload.
  private(set) var up: [Double]
  /// Of each GPU the axis units that its final segments take.
  private let reserved: [UInt64]

  init(_ input: TransitionInput) {
    self.input = input
    let names = input.gpus.flatMap { ($0.before + $0.after).map(\.workload) } + input.services.keys
    let workloads = Set(names).sorted()
    self.workloads = workloads
    services = workloads.map { input.services[$0] ?? TransitionInput.Service(rateBefore: 0, rateAfter: 0) }
    let number = Dictionary(uniqueKeysWithValues: workloads.enumerated().map { ($1, $0) })
    standing = Array(repeating: [], count: input.gpus.count)
    pending = standing
    up = Array(repeating: 0, count: workloads.count)
    reserved = input.gpus.map { gpu in
      gpu.after.reduce(0) { $0 | gpu.product.profiles[$1.placement.profile].mask(at: $1.placement.start) }
    }
    for (index, gpu) in input.gpus.enumerated() {
      for segment in gpu.before.sorted(by: Self.byPlace) {
        let same = gpu.after.first { $0.runsAs(segment) }
        let role: Unit.Role = same != nil ? .kept : .old
        add(role, segment, on: index, number, capacity: min(segment.capacity, same?.capacity ?? .infinity))
      }
      for segment in gpu.after.sorted(by: Self.byPlace) where !gpu.before.contains(where: { $0.runsAs(segment) }) {
        add(.new, segment, on: index, number, capacity: segment.capacity)
      }
    }
  }

  private static func byPlace(_ a: StandingSegment, _ b: StandingSegment) -> Bool {
    (a.placement.start, a.placement.profile) < (b.placement.start, b.placement.profile)
  }

  private mutating func add(
    _ role: Unit.Role, _ segment: StandingSegment, on gpu: Int, _ number: [String: Int], capacity: Double
  ) {
    let workload = number[segment.workload] ?? 0
    units.append(
      Unit(
        role: role, gpu: gpu, workload: workload, segment: segment, capacity: capacity,
        mask: input.gpus[gpu].product.profiles[segment.placement.profile].mask(at: segment.placement.start)))
    if role == .new {
      pending[gpu].append(units.count - 1)
    } else {
      standing[gpu].append(units.count - 1)
      up[workload] += capacity
    }
  }

  // MARK: - What is asked

  var olds: [Int] { units.indices.filter { units[$0].role == .old } }

  /// What a workload is to have at every moment.
  func floor(_ workload: Int) -> Double {
    let service = services[workload]
    return min(service.rateBefore, service.rateAfter) * (1 - input.maxUnavailable)
  }

  /// Whether the workload still has what it is to have once `capacity` is gone.
  func canLose(_ capacity: Double, _ workload: Int) -> Bool {
    let floor = floor(workload)
    return up[workload] - capacity >= floor * (1 - Tolerance.relative)
  }

  /// Whether a segment can stand on a GPU beside others: room and tenants.
  func fits(_ segment: StandingSegment, of workload: Int, on gpu: Int, beside others: [Int]) -> Bool {
    let tenant = services[workload].tenant
    return others.allSatisfy { services[units[$0].workload].tenant == tenant }
      && input.gpus[gpu].product.hasRoom(
        for: segment.placement, beside: others.lazy.map { units[$0].segment.placement })
  }

  /// What is to come on a GPU and has room beside `others`, by start; each takes its room from those after it.
  func arrivals(on gpu: Int, beside others: [Int], except barred: Set<Int> = []) -> [Int] {
    var there = others
    var found: [Int] = []
    for new in pending[gpu] where !barred.contains(new) {
      let unit = units[new]
      guard fits(unit.segment, of: unit.workload, on: gpu, beside: there) else { continue }
      there.append(new)
      found.append(new)
    }
    return found
  }

  /// Where a segment like `shape` can stand without being in the way of anything that stands or is to stand there.
  func room(for shape: StandingSegment, of workload: Int, on gpu: Int) -> StandingSegment? {
    guard input.gpus[gpu].isOpen else { return nil }
    let profile = input.gpus[gpu].product.profiles[shape.placement.profile]
    let taken = standing[gpu].reduce(reserved[gpu]) { $0 | units[$1].mask }
    let final =
      standing[gpu].filter { [.kept, .temporary].contains(units[$0].role) } + pending[gpu]
      + created(on: gpu)
    for start in profile.starts where profile.mask(at: start) & taken == 0 {
      var segment = shape
      segment.placement.start = start
      if fits(segment, of: workload, on: gpu, beside: standing[gpu]),
        fits(segment, of: workload, on: gpu, beside: final)
      {
        return segment
      }
    }
    return nil
  }

  private func created(on gpu: Int) -> [Int] { standing[gpu].filter { units[$0].role == .new } }

  // MARK: - What happens

  mutating func destroy(_ unit: Int) {
    standing[units[unit].gpu].removeAll { $0 == unit }
    up[units[unit].workload] -= units[unit].capacity
  }

  /// What comes stands from now on and counts at once: a wave adds it when it ends.
  mutating func create(_ unit: Int) {
    pending[units[unit].gpu].removeAll { $0 == unit }
    standing[units[unit].gpu].append(unit)
    up[units[unit].workload] += units[unit].capacity
  }

  /// Makes a segment that is there for the way only.
  mutating func help(_ segment: StandingSegment, of workload: Int, on gpu: Int) -> Int {
    units.append(
      Unit(
        role: .temporary, gpu: gpu, workload: workload, segment: segment, capacity: segment.capacity,
        mask: input.gpus[gpu].product.profiles[segment.placement.profile].mask(at: segment.placement.start)))
    standing[gpu].append(units.count - 1)
    up[workload] += segment.capacity
    return units.count - 1
  }
}
