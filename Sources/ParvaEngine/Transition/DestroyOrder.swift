/// The order in which few old segments go so that the worst shortfall on the way is least: an exact search over all
/// sets of those that are gone.
///
/// Sets are visited by their bit pattern, so that every set comes after its subsets. O(2^n x (n + segments)).
struct DestroyOrder {
  /// More old segments than this are not searched.
  static let most = 12

  /// Old segments, first to go first.
  private(set) var order: [Int] = []
  /// The greatest share of its floor that a workload lacks on the way.
  private(set) var shortfall = 0.0

  /// - Parameters:
  ///   - fleet: before anything has happened.
  ///   - olds: all that are tied together by workloads and GPUs, at most ``most``.
  init(_ fleet: TransitionFleet, _ olds: [Int]) {
    guard !olds.isEmpty else { return }
    let gpus = Set(olds.map { fleet.units[$0].gpu }).sorted()
    // Of each GPU: which of the olds it holds, and what comes there for each set of those that are gone.
    var comers: [(bits: Int, cache: [Int: [Int]])] = gpus.map { gpu in
      (olds.indices.filter { fleet.units[olds[$0]].gpu == gpu }.reduce(0) { $0 | 1 << $1 }, [:])
    }
    let all = (1 << olds.count) - 1
    var least = [Double](repeating: .infinity, count: all + 1)
    var last = [Int](repeating: -1, count: all + 1)
    least[0] = 0
    for gone in 0..<all where least[gone] < .infinity {
      let up = Self.up(fleet, olds, gone, gpus, &comers)
      for (bit, old) in olds.enumerated() where gone & 1 << bit == 0 {
        let unit = fleet.units[old]
        let floor = fleet.floor(unit.workload)
        let left = (up[unit.workload] ?? fleet.up[unit.workload]) - unit.capacity
        let lacks = floor > 0 && left < floor * (1 - Tolerance.relative) ? (floor - left) / floor : 0
        let worst = max(least[gone], lacks)
        let next = gone | 1 << bit
        if worst < least[next] { (least[next], last[next]) = (worst, bit) }
      }
    }
    shortfall = least[all]
    var gone = all
    while gone != 0 {
      order.append(olds[last[gone]])
      gone &= ~(1 << last[gone])
    }
    order.reverse()
  }

  /// Requests per second that stand once `gone` are gone and all that has room then has come; workloads that differ from
  /// the beginning.
  private static func up(
    _ fleet: TransitionFleet, _ olds: [Int], _ gone: Int, _ gpus: [Int],
    _ comers: inout [(bits: Int, cache: [Int: [Int]])]
  ) -> [Int: Double] {
    var up: [Int: Double] = [:]
    for (index, gpu) in gpus.enumerated() {
      let local = gone & comers[index].bits
      let arrivals: [Int]
      if let known = comers[index].cache[local] {
        arrivals = known
      } else {
        let left = fleet.standing[gpu].filter { unit in
          !olds.enumerated().contains { bit, old in old == unit && local & 1 << bit != 0 }
        }
        arrivals = fleet.arrivals(on: gpu, beside: left)
        comers[index].cache[local] = arrivals
      }
      for new in arrivals {
        let unit = fleet.units[new]
        up[unit.workload, default: fleet.up[unit.workload]] += unit.capacity
      }
    }
    for (bit, old) in olds.enumerated() where gone & 1 << bit != 0 {
      let unit = fleet.units[old]
      up[unit.workload, default: fleet.up[unit.workload]] -= unit.capacity
    }
    return up
  }
}
