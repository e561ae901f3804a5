/// The grids on which capacities are worked out, each rounded to the safe side, so that many workloads share few cells.
enum CapacityGrid {
  /// Objectives and sojourn times: 256 steps an octave, so that an objective loses at most 0.4 %. A step is the head of
  /// the number's binary form: its exponent and the first eight bits of its significand.
  static let octave = 256
  private static let droppedBits = 15

  /// The step at or below an objective of `milliseconds`.
  static func step(ofObjective milliseconds: Double) -> Int {
    var value = Float(milliseconds)
    if Double(value) > milliseconds { value = value.nextDown }
    return Int(value.bitPattern >> droppedBits)
  }

  /// A step that is at least ``step(ofObjective:)`` of any objective that a sojourn of `milliseconds` misses, and of the
  /// one that it only just keeps.
  static func step(ofSojourn milliseconds: Double) -> Int { Int(Float(milliseconds).bitPattern >> droppedBits) }

  /// The least objective of a step in milliseconds.
  static func milliseconds(step: Int) -> Double { Double(Float(bitPattern: UInt32(step) << droppedBits)) }

  /// Shares of requests that may miss their objective; the smallest is what a run of bounded length can still tell.
  static let leastTail = 1e-4
  private static let mantissas = [1, 1.5, 2, 2.5, 3, 4, 5, 6, 7.5]

  /// The largest share on the grid that is at most 1 - `percentile`; nil below ``leastTail``.
  static func tail(percentile: Double) -> Double? {
    // What 0.99 leaves is 0.01 but for rounding.
    let allowed = (1 - percentile) * (1 + 1e-9)
    var found: Double?
    var decade = leastTail
    while decade < 1 {
      for mantissa in mantissas where mantissa * decade <= allowed && mantissa * decade <= 0.5 {
        found = mantissa * decade
      }
      decade *= 10
    }
    return found
  }

  /// The least squared coefficient of variation on the grid that is at least `cv2`, which is above 1.
  static func burstiness(cv2: Double) -> Double {
    var decade = 1.0
    while decade < 1e4 {
      for mantissa in mantissas where mantissa * decade >= cv2 * (1 - 1e-9) { return mantissa * decade }
      decade *= 10
    }
    return cv2
  }

  /// The most stages of which gaps are made; smoother ones are certified as these.
  private static let mostStages = 16

  /// Stages of gaps whose squared coefficient of variation is at least `cv2`, which is above 0 and at most a half.
  static func stages(cv2: Double) -> Int { max(2, Int(min(Double(mostStages), (1 + 1e-9) / cv2))) }

  /// The greatest rate with three bits after the leading one that is at most `rate`, above 0: eight an octave.
  static func rate(below rate: Double) -> Double { head(of: rate, bits: 3) }

  /// The least rate with five bits after the leading one that is at least `rate`, above 0: 32 an octave.
  static func rate(above rate: Double) -> Double {
    let below = head(of: rate, bits: 5)
    return below == rate ? rate : below + below.binade / 32
  }

  /// The share of a recording that is played in place of another: at least as much, four an octave; 1 for what is near it.
  static func share(above share: Double) -> Double {
    guard share < 1 else { return 1 }
    let below = head(of: share, bits: 2)
    return below == share ? share : below + below.binade / 4
  }

  /// The share of a smooth stream that is played in place of another: at most as much, four an octave; nil for less than a
  /// quarter, of which no more than the randomness is left.
  static func share(below share: Double) -> Double? { share < 0.25 ? nil : min(1, head(of: share, bits: 2)) }

  /// The number with no more than so many bits after the leading one, rounded down.
  private static func head(of value: Double, bits: Int) -> Double {
    Double(bitPattern: value.bitPattern & (.max << UInt64(52 - bits)))
  }

  /// Loads at which a point is tried, as shares of its throughput: up to 99.5 % in steps of an eighth of a percent of it,
  /// of half a percent below four fifths, and below a quarter in steps of two percent of the load.
  static let loads: [Double] = {
    var shares: [Double] = []
    var share = 0.995
    while share > 0.004 {
      shares.append(share)
      share = share > 0.801 ? share - 0.00125 : share > 0.251 ? share - 0.005 : share / 1.02
    }
    return shares.reversed()
  }()

  /// Binary logarithm of the length of the shortest runs, for one late request in a hundred.
  static let shortRun = 17
  private static let longRun = 21

  /// The binary logarithm of the length of a run, or nil where none that is affordable would tell.
  ///
  /// A queue at load x remembers of the order of cv2 (1 + cv2) / 2 / (1 - x)^2 requests, so the nearer to one the longer a
  /// run has to be: 200 such memories at least. Heavy traffic theory has cv2 alone; the rest is what the skewness of
  /// gamma gaps was seen to ask for. Batches are what a run costs, so those of few requests may only have shorter runs,
  /// and those of many get runs that are longer, up to four times, which makes their answers finer.
  static func runExponent(load: Double, batch: Int, cv2: Double) -> Int? {
    let bits = batch.bitWidth - batch.leadingZeroBitCount
    let (least, fine) = (100 * cv2 * (1 + cv2), Double(200 << min(2, max(0, bits - 5))))
    let tells = { (exponent: Int, memories: Double) in Double(1 << exponent) * (1 - load) * (1 - load) >= memories }
    guard tells(min(longRun - 1, shortRun + bits), least) else { return nil }
    return (shortRun..<longRun).first { tells($0, max(least, fine)) } ?? longRun
  }
}
