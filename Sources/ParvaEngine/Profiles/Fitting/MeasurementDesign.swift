/// Chooses which places to measure so that the fitted model errs least over the grid.
///
/// Greedy: each next place is the one that takes most from the model's variance summed over the whole grid, given the
/// places before it (an I-optimal design). Measured latencies are not looked at beyond the parameters fitted to them.
public enum MeasurementDesign {
  /// Requests held at once by all processes on the smallest instance, up to which a model that was never run is taken
  /// to fit; larger instances in proportion to their memory.
  static let requestsOnSmallest = 16
  /// Launch time over saturated time of a request on one slice, of the two models that a design without measurements
  /// must serve: a large network and a small one.
  private static let launchRatios = [2.0, 8.0]

  /// The next `count` places after those already measured, best first; fewer where the grid has no more.
  ///
  /// Without measurements the first place is the one that tells most about memory.
  /// - Complexity: O(count x grid^2), some ten milliseconds for twelve places.
  public static func next(
    _ count: Int, after profile: ModelProfile? = nil, on product: GPUProduct, grid: ProfileGrid = ProfileGrid()
  ) -> [ProfilePlace] {
    let known = profile?.points.filter { $0.source != .filled } ?? []
    let misfits = profile?.misfits ?? []
    let sizes = ProfileGrid.sizes(of: product)
    let all = grid.places(on: product)
    let least = all.map { MemoryProof.memory(of: $0.profile, on: product) }.min() ?? 1
    func requests(_ place: ProfilePlace) -> Double {
      Double(place.batch * place.processes) * least / MemoryProof.memory(of: place.profile, on: product)
    }
    let region = all.filter { requests($0) <= 2 * Double(requestsOnSmallest) }
    var candidates = region.filter { place in
      requests(place) <= Double(requestsOnSmallest) && !known.contains { $0.place == place }
        && !misfits.contains { exceeds(place, $0, product) }
    }
    var states = models(known, sizes, product).map { State($0, region, product, known) }
    var chosen: [ProfilePlace] = []
    func take(_ index: Int) {
      let place = candidates.remove(at: index)
      chosen.append(place)
      for state in states.indices { states[state].observe(place) }
    }
    if known.isEmpty, misfits.isEmpty, count > 0, let probe = candidates.firstIndex(of: memoryProbe(grid, product)) {
      take(probe)
    }
    while chosen.count < count, !candidates.isEmpty {
      var best = (index: 0, gain: -1.0)
      for (index, place) in candidates.enumerated() {
        let gain = states.reduce(0) { $0 + $1.gain(place) }
        if gain > best.gain { best = (index, gain) }
      }
      take(best.index)
    }
    return chosen
  }

  /// The smallest instance full of requests, spread over several processes: where it fits, most of the grid surely does.
  private static func memoryProbe(_ grid: ProfileGrid, _ product: GPUProduct) -> ProfilePlace {
    var processes = 1
    while processes * 2 <= min(grid.maxProcesses, 4) { processes *= 2 }
    let batch = min(grid.maxBatch, requestsOnSmallest / processes)
    let smallest = grid.places(on: product).map(\.profile).min {
      MemoryProof.memory(of: $0, on: product) < MemoryProof.memory(of: $1, on: product)
    }
    return ProfilePlace(profile: smallest ?? 0, batch: batch, processes: processes)
  }

  /// Whether a place needs at least as much memory as one that did not fit, on an instance with no more of it.
  private static func exceeds(_ place: ProfilePlace, _ misfit: ProfilePlace, _ product: GPUProduct) -> Bool {
    MemoryProof.memory(of: place.profile, on: product) <= MemoryProof.memory(of: misfit.profile, on: product)
      && place.batch >= misfit.batch && place.processes >= misfit.processes
  }

  private static func models(_ known: [ProfilePoint], _ sizes: [Int], _ product: GPUProduct) -> [LatencyModel] {
    if known.count >= ProfileFit.leastPoints {
      return [LatencyFit(ProfileFit.samples(of: known, sizes, product), sizes: sizes).model]
    }
    return launchRatios.map { ratio in
      LatencyModel(
        sizes: sizes,
        parameters: [Elementary.log(ratio), -3, 0, 0, 1, 0.9, -3.3, 0] + [Double](repeating: 0, count: sizes.count))
    }
  }

  /// What a model of given parameters would know after the places observed so far.
  private struct State {
    private let estimator: LatencyEstimator
    private let targets: [[Double]]
    private var covariance: SymmetricMatrix

    init(_ model: LatencyModel, _ region: [ProfilePlace], _ product: GPUProduct, _ known: [ProfilePoint]) {
      estimator = LatencyEstimator(model: model, product: product)
      var information = SymmetricMatrix(order: model.parameters.count)
      LatencyPrior.add(to: &information, sizes: model.sizes.count)
      covariance = information.inverse() ?? information
      let estimator = estimator
      targets = region.map { State.gradient($0, estimator) }
      for point in known { observe(point.place) }
    }

    private static func gradient(_ place: ProfilePlace, _ estimator: LatencyEstimator) -> [Double] {
      var gradient = [Double](repeating: 0, count: estimator.model.parameters.count)
      _ = estimator.model.logLatency(estimator.place(place), gradient: &gradient)
      return gradient
    }

    private static func dot(_ a: [Double], _ b: [Double]) -> Double {
      var sum = 0.0
      for index in a.indices { sum += a[index] * b[index] }
      return sum
    }

    private static let noise = LatencyPrior.discrepancy * LatencyPrior.discrepancy

    /// Variance, summed over the grid, that measuring the place takes away.
    func gain(_ place: ProfilePlace) -> Double {
      let gradient = Self.gradient(place, estimator)
      let image = covariance.product(gradient)
      var sum = 0.0
      for target in targets {
        let share = Self.dot(target, image)
        sum += share * share
      }
      return sum / (Self.noise + Self.dot(gradient, image))
    }

    mutating func observe(_ place: ProfilePlace) {
      let gradient = Self.gradient(place, estimator)
      let image = covariance.product(gradient)
      covariance.addOuterProduct(of: image, weight: -1 / (Self.noise + Self.dot(gradient, image)))
    }
  }
}
