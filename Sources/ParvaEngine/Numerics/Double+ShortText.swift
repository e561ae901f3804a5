extension Double {
  /// The value with at most three decimals, without trailing zeros, for messages.
  package var shortText: String {
    guard magnitude < 1e12 else { return "\(self)" }
    let thousandths = Int((self * 1000).rounded())
    var digits = "\(thousandths.magnitude % 1000)"
    while digits.count < 3 { digits = "0" + digits }
    while digits.hasSuffix("0") { digits.removeLast() }
    let whole = "\(thousandths < 0 ? "-" : "")\(thousandths.magnitude / 1000)"
    return digits.isEmpty ? whole : "\(whole).\(digits)"
  }
}
