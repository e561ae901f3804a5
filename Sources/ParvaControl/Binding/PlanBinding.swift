package import ParvaEngine
import ParvaWire

/// Binds the GPUs of a plan to the real GPUs of the fleet with the fewest changes to them.
///
/// Planners know pools, not GPUs. Among all ways to bind, the one that keeps most instances that stand is taken, then the
/// one that keeps most segments where the plan before had them. Pure.
package enum PlanBinding {
  /// Above this many GPUs of one pool those that fit exactly are bound first, and the rest greedily.
  static let exactSize = 128

  /// - Parameters:
  ///   - fleet: GPUs that may be used, with their pools.
  ///   - previous: what is in force, bound.
  ///   - published: the plan before; a plan that is the same again keeps its binding.
  ///   - fixed: GPUs of the plan that must come to the nodes that the planner named, by index.
  ///   - policy: what decides where nothing else does.
  /// - Complexity: O(n^3) for up to ``exactSize`` GPUs a pool, O(n^2 x instances) beyond.
  package static func bind(
    _ plan: Plan, to fleet: [FleetGPU], previous: Plan?, published: Plan? = nil, keepingNodesOf fixed: Set<Int> = [],
    _ policy: PlacementPolicy = .spread
  )
    -> Plan
  {
    if let published = published ?? previous, let same = rebound(plan, fleet, published, fixed) { return same }
    var bound = plan
    let before = Work(previous)
    var taken: Set<String> = []
    func bind(_ rows: [Int], _ there: [FleetGPU]) {
      for (row, column) in match(rows.map { plan.gpus[$0] }, there, before).enumerated() {
        bound.gpus[rows[row]].node = column.map { there[$0].node }
        bound.gpus[rows[row]].uuid = column.map { there[$0].uuid }
        if let column { taken.insert(there[column].uuid) }
      }
    }
    let pools = Dictionary(grouping: plan.gpus.indices) { plan.gpus[$0].pool }
    for (pool, rows) in pools {
      // Where nothing else decides, the nodes take turns: the loss of one then costs least. Or one is filled after the other,
      // those first that hold most. Silent nodes come last.
      var kept: [String: Int] = [:]
      for row in policy == .pack ? rows : [] { if let node = plan.gpus[row].node { kept[node, default: 0] += 1 } }
      func rank(_ gpu: FleetGPU) -> (Int, Int, Int, String, Int) {
        let order = policy == .pack ? (-(kept[gpu.node] ?? 0), 0) : (0, gpu.index)
        return (gpu.isSilent ? 1 : 0, order.0, order.1, gpu.node, gpu.index)
      }
      let there = fleet.filter { $0.pool == pool }.sorted { rank($0) < rank($1) }
      let byNode = Dictionary(grouping: rows.filter(fixed.contains)) { plan.gpus[$0].node }
      for (node, rows) in byNode { bind(rows, there.filter { $0.node == node }) }
      bind(rows.filter { !fixed.contains($0) }, there.filter { !taken.contains($0.uuid) })
    }
    return bound
  }

  /// GPUs whose node matters: those that hold a workload which is spread over nodes, or survives their loss. O(segments).
  package static func fixedGPUs(_ plan: Plan, _ workloads: [Workload]) -> Set<Int> {
    let spread = Set(workloads.filter { $0.constraints.needsNodes }.map(\.id))
    guard !spread.isEmpty else { return [] }
    return Set(plan.gpus.indices.filter { plan.gpus[$0].segments.contains { spread.contains($0.workload) } })
  }

  /// The binding of the plan before, where the plan is the same and every GPU is still there: while an apply is half
  /// done, what stands must not make an unchanged plan another.
  private static func rebound(
    _ plan: Plan, _ fleet: [FleetGPU], _ previous: Plan, _ fixed: Set<Int>
  ) -> Plan? {
    let there = Dictionary(fleet.map { ($0.uuid, $0) }, uniquingKeysWith: { first, _ in first })
    guard plan.gpus.count == previous.gpus.count else { return nil }
    let before = Dictionary(
      previous.gpus.lazy.compactMap { gpu in gpu.uuid.map { ($0, gpu.segments) } },
      uniquingKeysWith: { first, _ in first })
    // Where the planner keeps a GPU as it stands, the plan before must have had the same there.
    let keepsOthers = plan.gpus.contains { gpu in gpu.uuid.map { before[$0] != gpu.segments } ?? false }
    guard !keepsOthers else { return nil }
    var bound = plan
    for (index, old) in previous.gpus.enumerated() {
      guard let uuid = old.uuid, let gpu = there[uuid], gpu.node == old.node, gpu.pool == plan.gpus[index].pool,
        !fixed.contains(index) || plan.gpus[index].node == old.node
      else { return nil }
      bound.gpus[index].node = old.node
      bound.gpus[index].uuid = uuid
      guard bound.gpus[index] == old else { return nil }
    }
    return bound
  }

  // MARK: - One pool

  /// What a segment is on its GPU, however many processes it has: its instance may stay.
  private struct Job: Hashable {
    var place: InstancePlace
    var workload: String
  }

  /// What the plan before had on each GPU.
  private struct Work {
    var byUUID: [String: Set<Job>] = [:]

    init(_ plan: Plan?) {
      for gpu in plan?.gpus ?? [] { if let uuid = gpu.uuid { byUUID[uuid] = jobs(of: gpu) } }
    }
  }

  private static func jobs(of gpu: PlannedGPU) -> Set<Job> {
    Set(gpu.segments.map { Job(place: gpu.place(of: $0), workload: $0.workload) })
  }

  private static func match(_ gpus: [PlannedGPU], _ there: [FleetGPU], _ before: Work) -> [Int?] {
    let wanted = gpus.map(jobs)
    let places = wanted.map { Set($0.map(\.place)) }
    let did = there.map { before.byUUID[$0.uuid] ?? [] }
    var result = [Int?](repeating: nil, count: gpus.count)
    var free = Set(there.indices)
    // A planner that keeps GPUs says so.
    let byUUID = Dictionary(there.indices.map { (there[$0].uuid, $0) }, uniquingKeysWith: { first, _ in first })
    for row in gpus.indices {
      guard let uuid = gpus[row].uuid, let column = byUUID[uuid], free.remove(column) != nil else { continue }
      result[row] = column
    }
    func weight(_ row: Int, _ column: Int) -> Int {
      places[row].intersection(there[column].holds).count * 100 + wanted[row].intersection(did[column]).count
    }
    func rest() -> (rows: [Int], columns: [Int]) {
      (gpus.indices.filter { result[$0] == nil }, free.sorted())
    }
    if rest().rows.count > exactSize {
      // A GPU that holds exactly what a row wants loses nothing by getting it: |A∩B| + |B∩C| <= |B| + |A∩C|.
      bindEqual(
        wanted.indices.map { Content(places: places[$0], jobs: wanted[$0]) },
        there.indices.map { Content(places: there[$0].holds, jobs: did[$0]) }, &result, &free)
      bindEqual(places, there.map(\.holds), &result, &free)
    }
    let (rows, columns) = rest()
    if rows.count <= exactSize {
      let best = BestMatching.of(rows: rows.count, columns: columns.count) { weight(rows[$0], columns[$1]) }
      for (index, column) in best.enumerated() { result[rows[index]] = column.map { columns[$0] } }
    } else {
      for row in rows {
        let best = free.max { (weight(row, $0), -$0) < (weight(row, $1), -$1) }
        if let best, free.remove(best) != nil { result[row] = best }
      }
    }
    return result
  }

  private struct Content: Hashable {
    var places: Set<InstancePlace>
    var jobs: Set<Job>
  }

  /// Binds rows to free columns of equal content, both in order.
  private static func bindEqual<Key: Hashable>(
    _ rows: [Key], _ columns: [Key], _ result: inout [Int?], _ free: inout Set<Int>
  ) {
    var byContent = Dictionary(grouping: free.sorted(by: >)) { columns[$0] }
    for row in rows.indices where result[row] == nil {
      guard let column = byContent[rows[row]]?.popLast() else { continue }
      result[row] = column
      free.remove(column)
    }
  }
}
