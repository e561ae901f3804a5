/// The order in which few old segments go so that the worst shortfall on the way is least: an exact search over all
/// sets of those that are gone.
///
/// Mostly what has come follows from what is gone. Where compute slices run short, one that comes may keep another from
/// coming; such segments are bits of the search too, and the order says when each may come.
///
/// Sets are visited by their bit pattern, so that every set comes after its subsets. O(2^n x (n + segments)).
struct DestroyOrder {
  /// More bits than this are not searched.
  static let most = 12

  /// Old segments, first to go first; nil where there are too many.
  private(set) var order: [Int]?
  /// Of old segments: new ones that may not come before this one is gone, where that is not for the room to say.
  private(set) var freed: [Int: [Int]] = [:]
  /// Whether the order holds between workloads too, because something would come too early otherwise.
  private(set) var isStrict = false
  /// The greatest share of its floor that a workload lacks on the way.
  private(set) var shortfall = 0.0

  private let fleet: TransitionFleet
  private let olds: [Int]
  /// New segments that may be made to wait.
  private var waiting: [Int] = []
  /// GPUs of the old segments on which all comes that has room.
  private var gpus: [Int] = []
  private var arrivals: [Arrivals] = []
  /// Requests per second before the first old segment goes, by workload.
  private var up: [Double]

  /// What comes to one GPU for each set of old segments that are gone.
  private struct Arrivals {
    var bits: Int
    var cache: [Int: [Int]] = [:]
  }

  /// - Parameters:
  ///   - fleet: before anything has happened.
  ///   - olds: all that are tied together by workloads and GPUs.
  init(_ fleet: TransitionFleet, _ olds: [Int]) {
    self.fleet = fleet
    self.olds = olds
    up = fleet.up
    guard olds.count <= Self.most else { return }
    let theirs = Set(olds.map { fleet.units[$0].gpu }).sorted()
    let contested = theirs.filter { Self.isContested($0, fleet) }
    waiting = contested.flatMap { fleet.pending[$0] }
    isStrict = !contested.isEmpty
    guard olds.count + waiting.count <= Self.most else { return }
    gpus = theirs.filter { !contested.contains($0) }
    arrivals = gpus.map { gpu in
      Arrivals(bits: olds.indices.filter { fleet.units[olds[$0]].gpu == gpu }.reduce(0) { $0 | 1 << $1 })
    }
    // Where nothing old stands, everything comes at once.
    for gpu in fleet.pending.indices where !fleet.standing[gpu].contains(where: { fleet.units[$0].role == .old }) {
      for new in fleet.arrivals(on: gpu, beside: fleet.standing[gpu]) {
        up[fleet.units[new].workload] += fleet.units[new].capacity
      }
    }
    search()
  }

  /// Whether it depends on what came before what may come next there: O(2^segments x segments).
  private static func isContested(_ gpu: Int, _ fleet: TransitionFleet) -> Bool {
    let olds = fleet.standing[gpu].filter { fleet.units[$0].role == .old }
    let kept = fleet.standing[gpu].filter { fleet.units[$0].role != .old }
    return (0..<1 << olds.count).contains { left in
      let there = kept + olds.indices.filter { left & 1 << $0 != 0 }.map { olds[$0] }
      let come = fleet.arrivals(on: gpu, beside: there)
      return fleet.pending[gpu].contains { new in
        let unit = fleet.units[new]
        return !come.contains(new)
          && fleet.fits(unit.segment, of: unit.workload, on: gpu, beside: there)
      }
    }
  }

  // MARK: - The search

  /// A set has the old segments that are gone in its low bits, and those of ``waiting`` that have come above them.
  private mutating func search() {
    let all = (1 << olds.count) - 1
    let size = 1 << (olds.count + waiting.count)
    var least = [Double](repeating: .infinity, count: size)
    var last = [Int](repeating: -1, count: size)
    least[0] = 0
    for set in 0..<size where least[set] < .infinity {
      let up = standing(after: set)
      for (bit, old) in olds.enumerated() where set & 1 << bit == 0 {
        let unit = fleet.units[old]
        let floor = fleet.floor(unit.workload)
        let left = (up[unit.workload] ?? self.up[unit.workload]) - unit.capacity
        let lacks = floor > 0 && left < floor * (1 - Tolerance.relative) ? (floor - left) / floor : 0
        let worst = max(least[set], lacks)
        let next = set | 1 << bit
        if worst < least[next] { (least[next], last[next]) = (worst, bit) }
      }
      for (index, new) in waiting.enumerated() where set & 1 << (olds.count + index) == 0 && canCome(new, set) {
        let next = set | 1 << (olds.count + index)
        if least[set] < least[next] { (least[next], last[next]) = (least[set], olds.count + index) }
      }
    }
    guard var set = (0..<1 << waiting.count).map({ all | $0 << olds.count }).min(by: { least[$0] < least[$1] }) else {
      return
    }
    shortfall = least[set]
    var order: [Int] = []
    var come = waiting.enumerated().filter { set & 1 << (olds.count + $0.offset) == 0 }.map(\.element)
    while set != 0 {
      let bit = last[set]
      if bit < olds.count {
        freed[olds[bit]] = come.reversed()
        come = []
        order.append(olds[bit])
      } else {
        come.append(waiting[bit - olds.count])
      }
      set &= ~(1 << bit)
    }
    self.order = order.reversed()
  }

  private func canCome(_ new: Int, _ set: Int) -> Bool {
    let unit = fleet.units[new]
    var there = fleet.standing[unit.gpu].filter { other in
      !olds.enumerated().contains { $0.element == other && set & 1 << $0.offset != 0 }
    }
    for (index, other) in waiting.enumerated() where set & 1 << (olds.count + index) != 0 {
      if fleet.units[other].gpu == unit.gpu { there.append(other) }
    }
    return fleet.fits(unit.segment, of: unit.workload, on: unit.gpu, beside: there)
  }

  /// Requests per second that stand at a set, for workloads that differ from the beginning.
  private mutating func standing(after set: Int) -> [Int: Double] {
    var up: [Int: Double] = [:]
    func count(_ number: Int, _ sign: Double) {
      let unit = fleet.units[number]
      up[unit.workload, default: self.up[unit.workload]] += sign * unit.capacity
    }
    for index in gpus.indices {
      for new in comers(index, set & arrivals[index].bits) { count(new, 1) }
    }
    for (index, new) in waiting.enumerated() where set & 1 << (olds.count + index) != 0 { count(new, 1) }
    for (bit, old) in olds.enumerated() where set & 1 << bit != 0 { count(old, -1) }
    return up
  }

  private mutating func comers(_ index: Int, _ gone: Int) -> [Int] {
    if let known = arrivals[index].cache[gone] { return known }
    let left = fleet.standing[gpus[index]].filter { unit in
      !olds.enumerated().contains { $0.element == unit && gone & 1 << $0.offset != 0 }
    }
    let found = fleet.arrivals(on: gpus[index], beside: left)
    arrivals[index].cache[gone] = found
    return found
  }
}
