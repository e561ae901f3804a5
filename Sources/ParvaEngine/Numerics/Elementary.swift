/// Logarithm and exponential in plain arithmetic, so that what is drawn from a seed is the same on every machine and
/// with every C library.
enum Elementary {
  /// High part of ln 2 with its last 21 bits zero, so that a multiple by a small integer is exact.
  private static let ln2High = 0x1.62e42fee00000p-1
  private static let ln2Low = 0x1.a39ef35793c76p-33

  /// Natural logarithm of a normal number above 0, within 2 units in the last place.
  static func log(_ x: Double) -> Double {
    var exponent = Double(x.exponent)
    var mantissa = x.significand
    if mantissa > 1.414_213_562_373_095_1 {
      mantissa *= 0.5
      exponent += 1
    }
    // ln m = 2 artanh s; |s| is at most 0.172, so the term left out is below 1e-18.
    let s = (mantissa - 1) / (mantissa + 1)
    let z = s * s
    var sum = 1.0 / 21
    sum = sum * z + 1.0 / 19
    sum = sum * z + 1.0 / 17
    sum = sum * z + 1.0 / 15
    sum = sum * z + 1.0 / 13
    sum = sum * z + 1.0 / 11
    sum = sum * z + 1.0 / 9
    sum = sum * z + 1.0 / 7
    sum = sum * z + 1.0 / 5
    sum = sum * z + 1.0 / 3
    return exponent * ln2High + (2 * s + (2 * s * z * sum + exponent * ln2Low))
  }

  /// e to the power of `x`, within 2 units in the last place; 0 below -708 and infinity above 709.
  static func exp(_ x: Double) -> Double {
    if x < -708 { return 0 }
    if x > 709 { return .infinity }
    let power = (x / (ln2High + ln2Low)).rounded()
    let rest = (x - power * ln2High) - power * ln2Low
    // |rest| is at most 0.347; the term left out is below 1e-17.
    // The series with the factorials written out: a division by a literal is done by the compiler.
    var sum = 1.0 / 87_178_291_200
    sum = sum * rest + 1.0 / 6_227_020_800
    sum = sum * rest + 1.0 / 479_001_600
    sum = sum * rest + 1.0 / 39_916_800
    sum = sum * rest + 1.0 / 3_628_800
    sum = sum * rest + 1.0 / 362_880
    sum = sum * rest + 1.0 / 40_320
    sum = sum * rest + 1.0 / 5_040
    sum = sum * rest + 1.0 / 720
    sum = sum * rest + 1.0 / 120
    sum = sum * rest + 1.0 / 24
    sum = sum * rest + 1.0 / 6
    sum = sum * rest + 1.0 / 2
    sum = 1 + (rest + rest * rest * sum)
    // 2^power from its bits: the bounds above keep the exponent normal.
    return sum * Double(bitPattern: UInt64(1023 + Int(power)) << 52)
  }
}
