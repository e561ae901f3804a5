/// The values that an objective can take: whole numbers of GPUs, each at its pool's weight.
///
/// A bound may be rounded up to the next such value. Weights are read in millionths, so money and watts work as well as
/// counts; weights without a useful common unit just leave less to round.
struct ObjectiveLattice: Sendable {
  /// All values are multiples of this.
  let unit: Double

  init(weights: [Double]) {
    let millionths = weights.map { Int(($0 * 1e6).rounded()) }
    let exact = zip(weights, millionths).allSatisfy { ($0 * 1e6 - Double($1)).magnitude < 1e-3 }
    let divisor = millionths.reduce(0, ObjectiveLattice.divisor)
    unit = exact && divisor > 0 ? Double(divisor) / 1e6 : 0
  }

  /// The least value not below `bound`, allowing for rounding in the bound's last digits.
  func least(from bound: Double) -> Double {
    guard unit > 0 else { return bound }
    let slack = 1e-6 + 1e-11 * bound.magnitude / unit
    return max(0, (bound / unit - slack).rounded(.up) * unit)
  }

  /// The next value below `value`; just below where there is no common unit.
  func below(_ value: Double) -> Double { unit > 0 ? value - unit : value * (1 - 1e-6) }

  private static func divisor(_ a: Int, _ b: Int) -> Int { b == 0 ? a : divisor(b, a % b) }
}
