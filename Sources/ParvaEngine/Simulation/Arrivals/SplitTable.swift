/// Draws an index in proportion to given weights, by the alias method (Walker 1977, in Vose's form): one random word and
/// one comparison whatever the number of weights.
struct SplitTable: Sendable {
  /// What the indices stand for.
  private let targets: [Int32]
  private let thresholds: [UInt64]
  private let aliases: [Int32]

  /// - Parameter weights: one a target, at least 0 and finite; where all are 0 the targets are equally likely. O(n).
  init(_ targets: [Int], weights: [Double]) {
    self.targets = targets.map(Int32.init)
    let count = targets.count
    let total = weights.reduce(0, +)
    var shares = total > 0 ? weights.map { $0 / total * Double(count) } : [Double](repeating: 1, count: count)
    var aliases = [Int32](repeating: 0, count: count)
    var thresholds = [UInt64](repeating: .max, count: count)
    var small = shares.indices.filter { shares[$0] < 1 }
    var large = shares.indices.filter { shares[$0] >= 1 }
    while let poor = small.popLast(), let rich = large.last {
      thresholds[poor] = UInt64(max(0, shares[poor]) * 0x1p63) << 1
      aliases[poor] = Int32(rich)
      shares[rich] -= 1 - shares[poor]
      if shares[rich] < 1 {
        large.removeLast()
        small.append(rich)
      }
    }
    self.aliases = aliases
    self.thresholds = thresholds
  }

  var isEmpty: Bool { targets.isEmpty }

  /// Must not be called on an empty table.
  func pick(_ random: inout Xoshiro256) -> Int {
    if targets.count == 1 { return Int(targets[0]) }
    let (index, place) = random.next().multipliedFullWidth(by: UInt64(targets.count))
    let own = Int(index)
    return Int(targets[place < thresholds[own] ? own : Int(aliases[own])])
  }
}
