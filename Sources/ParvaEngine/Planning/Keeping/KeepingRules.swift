/// Which workloads have rules on the number of their segments, or on where those stand, and what their covers must be.
///
/// Covers alone cannot tell whether a rule holds: instances are taken to stand on domains of their own here, which
/// ``KeepingSettling`` then sees to.
struct KeepingRules: Sendable {
  /// Served workloads with a rule, in order of the input.
  let workloads: [Int]
  /// Per workload its place in `workloads`; empty where there are none.
  private let numbers: [Int32]
  private let rules: [CoverRule]
  /// Whether any is about nodes.
  let overNodes: Bool
  /// Columns of the market.
  let width: Int

  static let none = KeepingRules()

  private init() {
    (workloads, numbers, rules, overNodes, width) = ([], [], [], false, 0)
  }

  /// `rates` are 0 for those who are not served. O(workloads), and O(columns + nodes) for each that has a rule.
  init(_ market: Market, rates: [Double]) {
    let ruled = market.input.workloads.indices.filter { workload in
      let constraints = market.input.workloads[workload].constraints
      return rates[workload] > 0 && (constraints.domains != nil || constraints.replicas != nil)
    }
    var numbers = [Int32](repeating: -1, count: ruled.isEmpty ? 0 : rates.count)
    for (number, workload) in ruled.enumerated() { numbers[workload] = Int32(number) }
    workloads = ruled
    self.numbers = numbers
    rules = ruled.map(market.rule)
    overNodes = ruled.contains { market.input.workloads[$0].constraints.needsNodes }
    width = market.columns.count
  }

  var isEmpty: Bool { workloads.isEmpty }

  /// Place in ``workloads``; nil of a workload without a rule. O(1).
  func number(_ workload: Int) -> Int? {
    guard !numbers.isEmpty, numbers[workload] >= 0 else { return nil }
    return Int(numbers[workload])
  }

  /// O(1).
  func rule(_ workload: Int) -> CoverRule { number(workload).map { rules[$0] } ?? .plain }

  /// Requests per second that a cover lacks of `rate` under the rule of the workload: once the largest instances are lost,
  /// or as a whole; where only the number of instances is wrong, the rate of one of them. 0 where nothing is.
  /// O(columns log columns).
  func lack(of cover: ArraySlice<Int32>, _ workload: Int, rate: Double, capacity: (Int) -> Double) -> Double {
    let rule = rule(workload)
    var kinds: [(capacity: Double, count: Int)] = []
    var (sum, count) = (0.0, 0)
    for (column, many) in cover.enumerated() where many > 0 {
      kinds.append((capacity(column), Int(many)))
      sum += Double(many) * capacity(column)
      count += Int(many)
    }
    var carried = sum
    if rule.losses > 0 {
      kinds.sort { $0.capacity > $1.capacity }
      var losses = rule.losses
      for kind in kinds where losses > 0 {
        carried -= Double(min(losses, kind.count)) * kind.capacity
        losses -= min(losses, kind.count)
      }
    }
    let lack = max(rate - carried, rate * rule.whole - sum)
    if lack > rate * CoverSolver.slack { return lack }
    return count < rule.atLeast || count > rule.atMost ? rate / Double(rule.atLeast) : 0
  }
}
