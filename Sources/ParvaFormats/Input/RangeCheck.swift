/// Says what is wrong with a number, or nothing.
enum RangeCheck {
  static func message(_ name: String, _ value: Double, _ range: ClosedRange<Double>, unit: String = "") -> String? {
    guard !range.contains(value) else { return nil }
    let suffix = unit.isEmpty ? "" : " \(unit)"
    return "\(name) must be \(plain(range.lowerBound)) to \(plain(range.upperBound))\(suffix), not \(plain(value))"
  }

  static func message(_ name: String, _ value: Int, _ range: ClosedRange<Int>) -> String? {
    range.contains(value) ? nil : "\(name) must be \(range.lowerBound) to \(range.upperBound), not \(value)"
  }

  /// A number without a needless `.0`.
  static func plain(_ value: Double) -> String {
    let text = value.description
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }
}
