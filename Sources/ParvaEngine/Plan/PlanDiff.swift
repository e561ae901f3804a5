/// What changes from one plan to another, by segment and by MIG instance.
///
/// Segments are the same when their ids are. GPUs are the same when their UUIDs are; those not yet bound to a real GPU
/// are matched first by equal content, then by most segments in common and then in order, so that a mere renumbering is
/// no difference.
public struct PlanDiff: Hashable, Sendable {
  /// Where a segment stands in one of the two plans.
  public struct Place: Hashable, Sendable {
    /// Index of the GPU in its own plan.
    public var gpu: Int
    public var segment: Segment
  }

  public enum Change: Hashable, Sendable {
    case added(Place)
    case removed(Place)
    /// Other GPU, profile or start.
    case moved(from: Place, to: Place)
    /// Same instance, other model, batch or number of processes.
    case retuned(from: Place, to: Place)
    /// Same instance and processes, other load or capacity.
    case reloaded(from: Place, to: Place)
  }

  /// By segment: workload, then ordinal.
  public private(set) var changes: [Change] = []
  /// Segments that stay exactly as they are.
  public private(set) var kept = 0
  /// MIG instances to be made and unmade, and those that stay whatever runs in them.
  public private(set) var instancesCreated = 0
  public private(set) var instancesDestroyed = 0
  public private(set) var instancesKept = 0
  public private(set) var gpusBefore: Int
  public private(set) var gpusAfter: Int
  /// Workloads that only the second plan, or only the first, leaves out.
  public private(set) var newlyUnserved: [Unserved]
  public private(set) var noLongerUnserved: [Unserved]

  public var isEmpty: Bool { changes.isEmpty && newlyUnserved.isEmpty && noLongerUnserved.isEmpty }

  /// O(segments), and O(n x log n) for the n segments of GPUs that are not as they were.
  public init(from old: Plan, to new: Plan) { self.init(from: old, to: new, stepsOverSame: true) }

  /// - Parameter stepsOverSame: whether GPUs that are as they were under the same index are not looked at any closer. The
  ///   result is the same either way.
  init(from old: Plan, to new: Plan, stepsOverSame: Bool) {
    gpusBefore = old.gpus.count
    gpusAfter = new.gpus.count
    let before = Set(old.unplaced.map(\.workload))
    let after = Set(new.unplaced.map(\.workload))
    newlyUnserved = new.unplaced.filter { !before.contains($0.workload) }
    noLongerUnserved = old.unplaced.filter { !after.contains($0.workload) }
    let same = stepsOverSame ? Self.same(old.gpus, new.gpus) : []
    let match = Self.match(old.gpus, new.gpus, same)
    kept = same.reduce(0) { $0 + old.gpus[$1].segments.count }
    compareSegments(old, new, match, same)
    compareInstances(old, new, match)
  }

  // MARK: - GPUs

  /// What makes two GPUs equal in content.
  private struct Content: Hashable {
    var pool: String
    var node: String?
    var product: String
    var segments: Set<String>
  }

  /// Indices of GPUs that hold the very same in both plans, which are then those that any way to match them finds: no two
  /// GPUs of a plan have a segment in common.
  private static func same(_ old: [PlannedGPU], _ new: [PlannedGPU]) -> Set<Int> {
    Set(zip(old, new).enumerated().lazy.filter { !$1.0.segments.isEmpty && $1.0 == $1.1 }.map(\.offset))
  }

  /// For each GPU of the new plan the index of the same GPU in the old one; those of `same` are known.
  static func match(_ old: [PlannedGPU], _ new: [PlannedGPU], _ same: Set<Int> = []) -> [Int?] {
    var result = [Int?](repeating: nil, count: new.count)
    for index in same { result[index] = index }
    var free = Set(old.indices).subtracting(same)
    let byUUID = Dictionary(
      old.enumerated().compactMap { index, gpu in gpu.uuid.map { ($0, index) } },
      uniquingKeysWith: { first, _ in first })
    for (index, gpu) in new.enumerated() where result[index] == nil {
      guard let uuid = gpu.uuid, let same = byUUID[uuid], free.remove(same) != nil else { continue }
      result[index] = same
    }
    var byContent: [Content: [Int]] = [:]
    for index in old.indices.reversed() where free.contains(index) {
      byContent[content(old[index]), default: []].append(index)
    }
    for index in new.indices where result[index] == nil {
      guard let same = byContent[content(new[index])]?.popLast(), bindable(old[same], new[index]) else { continue }
      free.remove(same)
      result[index] = same
    }
    matchCommon(old, new, &result, &free)
    for index in new.indices where result[index] == nil {
      let same = free.contains(index) && alike(old[index], new[index]) ? index : nil
      guard let same else { continue }
      free.remove(same)
      result[index] = same
    }
    return result
  }

  /// Matches GPUs that have segments in common, those with most first.
  private static func matchCommon(
    _ old: [PlannedGPU], _ new: [PlannedGPU], _ result: inout [Int?], _ free: inout Set<Int>
  ) {
    var holders: [String: Int] = [:]
    for index in free { for segment in old[index].segments { holders[mark(segment)] = index } }
    var pairs: [(common: Int, old: Int, new: Int)] = []
    for index in new.indices where result[index] == nil {
      var common: [Int: Int] = [:]
      for segment in new[index].segments {
        if let holder = holders[mark(segment)] { common[holder, default: 0] += 1 }
      }
      for (holder, count) in common where alike(old[holder], new[index]) { pairs.append((count, holder, index)) }
    }
    for pair in pairs.sorted(by: { (-$0.common, $0.old, $0.new) < (-$1.common, $1.old, $1.new) }) {
      guard result[pair.new] == nil, free.remove(pair.old) != nil else { continue }
      result[pair.new] = pair.old
    }
  }

  private static func mark(_ segment: Segment) -> String { "\(segment.id) \(segment.profile) \(segment.start)" }

  private static func content(_ gpu: PlannedGPU) -> Content {
    Content(
      pool: gpu.pool, node: gpu.node, product: gpu.product.name,
      segments: Set(gpu.segments.map(mark)))
  }

  private static func alike(_ a: PlannedGPU, _ b: PlannedGPU) -> Bool {
    a.pool == b.pool && a.product.name == b.product.name && bindable(a, b)
  }

  /// Whether the two may be the same real GPU: not when both are bound, to different ones, or stand on different nodes.
  private static func bindable(_ a: PlannedGPU, _ b: PlannedGPU) -> Bool {
    (a.uuid == nil || b.uuid == nil || a.uuid == b.uuid) && (a.node == nil || b.node == nil || a.node == b.node)
  }

  // MARK: - Segments and instances

  private static func places(_ plan: Plan, without same: Set<Int>) -> [Place] {
    plan.gpus.indices.lazy.filter { !same.contains($0) }
      .flatMap { index in plan.gpus[index].segments.map { Place(gpu: index, segment: $0) } }
      .sorted { ($0.segment.workload, $0.segment.ordinal) < ($1.segment.workload, $1.segment.ordinal) }
  }

  private mutating func compareSegments(_ old: Plan, _ new: Plan, _ match: [Int?], _ same: Set<Int>) {
    let (before, after) = (Self.places(old, without: same), Self.places(new, without: same))
    var (i, j) = (0, 0)
    while i < before.count || j < after.count {
      guard i < before.count else {
        changes.append(.added(after[j]))
        j += 1
        continue
      }
      guard j < after.count else {
        changes.append(.removed(before[i]))
        i += 1
        continue
      }
      let (a, b) = (before[i], after[j])
      let (nameA, nameB) = ((a.segment.workload, a.segment.ordinal), (b.segment.workload, b.segment.ordinal))
      if nameA < nameB {
        changes.append(.removed(a))
        i += 1
      } else if nameB < nameA {
        changes.append(.added(b))
        j += 1
      } else {
        if let change = Self.change(a, b, sameGPU: match[b.gpu] == a.gpu) { changes.append(change) } else { kept += 1 }
        i += 1
        j += 1
      }
    }
  }

  private static func change(_ a: Place, _ b: Place, sameGPU: Bool) -> Change? {
    let (old, new) = (a.segment, b.segment)
    if !sameGPU || (old.profile, old.start) != (new.profile, new.start) { return .moved(from: a, to: b) }
    if (old.model, old.batch, old.processes) != (new.model, new.batch, new.processes) {
      return .retuned(from: a, to: b)
    }
    return old == new ? nil : .reloaded(from: a, to: b)
  }

  private mutating func compareInstances(_ old: Plan, _ new: Plan, _ match: [Int?]) {
    func instances(_ gpu: PlannedGPU) -> Set<Placement> {
      Set(gpu.segments.map(\.placement))
    }
    var total = 0
    for gpu in old.gpus { total += instances(gpu).count }
    for (index, gpu) in new.gpus.enumerated() {
      let wanted = instances(gpu)
      let there = match[index].map { instances(old.gpus[$0]) } ?? []
      let same = wanted.intersection(there).count
      instancesKept += same
      instancesCreated += wanted.count - same
    }
    instancesDestroyed = total - instancesKept
  }
}
