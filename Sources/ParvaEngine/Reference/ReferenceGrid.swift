/// The grids of docs/admission.md, on which certified capacities are rounded to the safe side.
enum ReferenceGrid {
  private static let mantissas = [1, 1.5, 2, 2.5, 3, 4, 5, 6, 7.5]
  private static let values = [1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100, 1000].flatMap { decade in
    mantissas.map { $0 * decade }
  }
  /// Steps of sojourn times that are told apart above the shortest execution time: ten octaves, less one at each end.
  static let span = 10 * 256 - 2

  /// Number of the 256th of an octave that a duration is in.
  static func step(_ milliseconds: Double) -> Int { Int(Float(milliseconds).bitPattern >> 15) }

  /// The objective that is certified in place of another: the start of its step.
  static func objective(_ milliseconds: Double) -> Double {
    let unit = Double(sign: .plus, exponent: milliseconds.exponent - 8, significand: 1)
    return (milliseconds / unit).rounded(.down) * unit
  }

  /// The share that may be late in place of what a percentile leaves; nil for less than a run can tell.
  static func tail(percentile: Double) -> Double? {
    values.last { $0 <= (1 - percentile) * (1 + 1e-9) && $0 <= 0.5 }
  }

  /// The squared coefficient of variation that is certified in place of another above 1.
  static func burstiness(_ cv2: Double) -> Double {
    values.first { $0 >= 1 && $0 >= cv2 * (1 - 1e-9) } ?? cv2
  }

  /// The greatest number of `steps` an octave that is at most `value`, above 0.
  static func rounded(down value: Double, steps: Double) -> Double {
    let step = Double(sign: .plus, exponent: value.exponent, significand: 1) / steps
    return (value / step).rounded(.down) * step
  }

  /// The least number of `steps` an octave that is at least `value`, above 0.
  static func rounded(up value: Double, steps: Double) -> Double {
    let step = Double(sign: .plus, exponent: value.exponent, significand: 1) / steps
    return (value / step).rounded(.up) * step
  }

  /// Shares of the throughput that may be given away, ascending.
  static let loads: [Double] = {
    var loads = [0.995]
    while let last = loads.last, last > 0.004 {
      loads.append(last > 0.801 ? last - 0.00125 : last > 0.251 ? last - 0.005 : last / 1.02)
    }
    return loads.dropLast().reversed()
  }()

  /// How many requests are judged at a load, as docs/admission.md states it; nil where none that is affordable would tell.
  static func length(load: Double, batch: Int, cv2: Double, tail: Double) -> Int? {
    let bits = Int.bitWidth - batch.leadingZeroBitCount
    let memories = 100 * cv2 * (1 + cv2)
    func tells(_ exponent: Int, _ memories: Double) -> Bool {
      Double(1 << exponent) * (1 - load) * (1 - load) >= memories
    }
    guard tells(min(20, 17 + bits), memories) else { return nil }
    let fine = Double(batch < 32 ? 200 : batch < 64 ? 400 : 800)
    let exponent = (17...20).first { tells($0, max(memories, fine)) } ?? 21
    let length = max(1 << exponent, min(1 << 21, Int(131_072 / (100 * tail))))
    return length / 16 * 16
  }
}
