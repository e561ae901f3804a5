/// Logarithm and exponential in plain arithmetic, so that what is drawn from a seed is the same on every machine and
/// with every C library.
enum Elementary {
  /// High part of ln 2 with its last 21 bits zero, so that a multiple by a small integer is exact.
  private static let ln2High = 0x1.62e42fee00000p-1
  private static let ln2Low = 0x1.a39ef35793c76p-33

  /// Bits of the largest number whose square is below a half.
  private static let squareRootOfHalf: UInt64 = 0x3fe6_a09e_667f_3bcc
  private static let inverseLn2 = 0x1.71547652b82fep+0
  private static let rounder = 0x1.8p52

  /// Natural logarithm of a normal number above 0, within 2 units in the last place.
  static func log(_ x: Double) -> Double {
    // Without a branch: the bits beyond those of the square root of a half carry into the exponent.
    let bits = x.bitPattern
    let power = Int(bitPattern: UInt(bits &- squareRootOfHalf)) >> 52
    let mantissa = Double(bitPattern: bits &- UInt64(bitPattern: Int64(power << 52)))
    let exponent = Double(power)
    // ln m = 2 artanh s; |s| is at most 0.172, so the term left out is below 1e-18.
    let s = (mantissa - 1) / (mantissa + 1)
    let z = s * s
    // By halves of halves, since many short chains of operations take less time than a long one.
    let (z2, z4) = (z * z, (z * z) * (z * z))
    let low = (1.0 / 3 + 1.0 / 5 * z) + (1.0 / 7 + 1.0 / 9 * z) * z2
    let high = (1.0 / 11 + 1.0 / 13 * z) + (1.0 / 15 + 1.0 / 17 * z) * z2
    let sum = low + (high + (1.0 / 19 + 1.0 / 21 * z) * z4) * z4
    return exponent * ln2High + (2 * s + (2 * s * z * sum + exponent * ln2Low))
  }

  /// e to the power of `x`, within 2 units in the last place; 0 below -708 and infinity above 709.
  static func exp(_ x: Double) -> Double {
    if x < -708 { return 0 }
    if x > 709 { return .infinity }
    // Rounded by adding a number so large that its last place is 1.
    let power = (x * inverseLn2 + rounder) - rounder
    let rest = (x - power * ln2High) - power * ln2Low
    // |rest| is at most 0.347; the term left out is below 1e-17.
    // The series with the factorials written out: a division by a literal is done by the compiler.
    let (r2, r4) = (rest * rest, (rest * rest) * (rest * rest))
    let low = (1.0 / 2 + 1.0 / 6 * rest) + (1.0 / 24 + 1.0 / 120 * rest) * r2
    let middle = (1.0 / 720 + 1.0 / 5_040 * rest) + (1.0 / 40_320 + 1.0 / 362_880 * rest) * r2
    let high =
      (1.0 / 3_628_800 + 1.0 / 39_916_800 * rest) + (1.0 / 479_001_600 + 1.0 / 6_227_020_800 * rest) * r2
    let sum = 1 + (rest + r2 * (low + (middle + (high + 1.0 / 87_178_291_200 * r4) * r4) * r4))
    // 2^power from its bits: the bounds above keep the exponent normal.
    return sum * Double(bitPattern: UInt64(1023 + Int(power)) << 52)
  }
}
