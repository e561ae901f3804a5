/// How much of a demand a plan serves, in the order in which demand is served: a lower priority counts only where all
/// above it is equal.
///
/// Two of these compare only when both were taken of the same workloads.
public struct ServedDemand: Hashable, Sendable, Comparable {
  /// What is served of the workloads of one priority.
  private struct Level: Hashable, Sendable {
    var priority: Int
    /// Workloads that get their whole rate.
    var whole = 0
    /// Sum of the shares of the others, in millionths, so that rounding decides nothing.
    var parts = 0
  }

  /// By priority, highest first.
  private let levels: [Level]
  /// Whether every workload gets its whole rate.
  public let isComplete: Bool
  /// Whether any workload gets anything.
  public var isAny: Bool { levels.contains { $0.whole > 0 || $0.parts > 0 } }

  /// O(workloads + segments).
  public init(by plan: Plan, of workloads: [Workload]) {
    var placed: Set<String> = []
    for gpu in plan.gpus { for segment in gpu.segments { placed.insert(segment.workload) } }
    let partial = Dictionary(plan.partial.map { ($0.workload, $0) }, uniquingKeysWith: { first, _ in first })
    let refused = Set(plan.unplaced.map(\.workload))
    var levels: [Int: Level] = [:]
    var complete = true
    for workload in workloads {
      var level = levels[workload.priority] ?? Level(priority: workload.priority)
      if !placed.contains(workload.id) || refused.contains(workload.id) {
        complete = false
      } else if let part = partial[workload.id] {
        complete = false
        let share = part.served / part.demanded
        if share > 0 { level.parts += Int((min(1, share) * 1e6).rounded()) }
      } else {
        level.whole += 1
      }
      levels[workload.priority] = level
    }
    self.levels = levels.values.sorted { $0.priority > $1.priority }
    isComplete = complete
  }

  public static func < (a: ServedDemand, b: ServedDemand) -> Bool {
    for (x, y) in zip(a.levels, b.levels) where x != y { return (x.whole, x.parts) < (y.whole, y.parts) }
    return false
  }
}
