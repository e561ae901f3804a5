/// The small latency model: how long one batch takes on an instance of `k` compute slices with `p` processes.
///
///     alone    = launch x (1 + contention x (p - 1)) + perSample x b
///     together = work x (b + overhead) x p^(1 + crowding) / k^scaling x size(k)
///     latency  = (alone^q + together^q)^(1/q)
///
/// `alone` is what a batch takes by itself, `together` what all processes' batches take on a saturated instance, where a
/// small batch does not fill the arithmetic units (`overhead`) and every size has its own small deviation from the power
/// law (`size`). Everything positive is held as a logarithm, so that no step of a solver leaves the model's domain.
struct LatencyModel: Hashable, Sendable {
  /// Indices into the parameter vector; the deviations of the sizes follow.
  enum Index {
    static let launch = 0
    static let perSample = 1
    static let work = 2
    static let overhead = 3
    static let scaling = 4
    static let blend = 5
    static let contention = 6
    static let crowding = 7
    static let sizes = 8
  }

  /// Distinct numbers of compute slices, ascending.
  let sizes: [Int]
  private let logSizes: [Double]
  var parameters: [Double]

  init(sizes: [Int], parameters: [Double]) {
    self.sizes = sizes
    self.parameters = parameters
    logSizes = sizes.map { Elementary.log(Double($0)) }
  }

  /// Where in the grid a latency is asked for.
  struct Place: Hashable, Sendable {
    /// Index into ``LatencyModel/sizes``.
    var size: Int
    var batch: Double
    var processes: Double
  }

  static func parameterCount(sizes: Int) -> Int { Index.sizes + sizes }

  /// Natural logarithm of the latency in milliseconds.
  func logLatency(_ place: Place) -> Double {
    var gradient = [Double](repeating: 0, count: parameters.count)
    return logLatency(place, gradient: &gradient)
  }

  /// The same, with its derivative by every parameter. O(parameters).
  func logLatency(_ place: Place, gradient: inout [Double]) -> Double {
    let launch = Elementary.exp(parameters[Index.launch])
    let perSample = Elementary.exp(parameters[Index.perSample])
    let overhead = Elementary.exp(parameters[Index.overhead])
    let contention = Elementary.exp(parameters[Index.contention])
    let blend = 1 + Elementary.exp(parameters[Index.blend])
    let others = place.processes - 1
    let alone = launch * (1 + contention * others) + perSample * place.batch
    let logAlone = Elementary.log(alone)
    let logProcesses = Elementary.log(place.processes)
    let logTogether =
      parameters[Index.work] + Elementary.log(place.batch + overhead)
      + (1 + parameters[Index.crowding]) * logProcesses - parameters[Index.scaling] * logSizes[place.size]
      + parameters[Index.sizes + place.size]

    // The smooth maximum, taken from the greater of the two so that nothing overflows.
    let top = max(logAlone, logTogether)
    let distance = min(logAlone, logTogether) - top
    let power = Elementary.exp(blend * distance)
    let logSum = Elementary.log(1 + power)
    let lesser = power / (1 + power)
    let ofAlone = logAlone >= logTogether ? 1 - lesser : lesser
    let ofTogether = 1 - ofAlone

    for index in gradient.indices { gradient[index] = 0 }
    gradient[Index.launch] = ofAlone * launch * (1 + contention * others) / alone
    gradient[Index.perSample] = ofAlone * perSample * place.batch / alone
    gradient[Index.contention] = ofAlone * launch * contention * others / alone
    gradient[Index.work] = ofTogether
    gradient[Index.overhead] = ofTogether * overhead / (place.batch + overhead)
    gradient[Index.crowding] = ofTogether * logProcesses
    gradient[Index.scaling] = -ofTogether * logSizes[place.size]
    gradient[Index.sizes + place.size] = ofTogether
    gradient[Index.blend] = (blend - 1) * (distance * lesser - logSum / blend) / blend
    return top + logSum / blend
  }
}
