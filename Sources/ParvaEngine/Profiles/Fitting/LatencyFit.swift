/// A latency model fitted to measured latencies, and how sure it is anywhere in the grid.
struct LatencyFit: Sendable {
  struct Sample: Hashable, Sendable {
    var place: LatencyModel.Place
    /// Natural logarithm of the measured latency in milliseconds.
    var logLatency: Double
  }

  let model: LatencyModel
  /// Covariance of the parameters.
  private let covariance: SymmetricMatrix
  /// Standard deviation of one measured latency about the model, as a share.
  let discrepancy: Double

  /// The parameters that explain the samples best within ``LatencyPrior``, from several starts.
  ///
  /// - Parameter samples: at least one.
  /// - Complexity: O(samples) for a fixed number of sizes.
  init(_ samples: [Sample], sizes: [Int]) {
    var discrepancy = LatencyPrior.discrepancy
    var solution = Self.solve(samples, sizes, discrepancy, Self.starts(samples, sizes))
    // With many more points than parameters the points tell themselves how far they stray.
    let order = LatencyModel.parameterCount(sizes: sizes.count)
    if samples.count >= 4 * order {
      let model = LatencyModel(sizes: sizes, parameters: solution.parameters)
      var sum = 0.0
      for sample in samples {
        let residual = model.logLatency(sample.place) - sample.logLatency
        sum += residual * residual
      }
      discrepancy = max(0.005, (sum / Double(samples.count - order)).squareRoot())
      solution = Self.solve(samples, sizes, discrepancy, [solution.parameters])
    }
    self.discrepancy = discrepancy
    model = LatencyModel(sizes: sizes, parameters: solution.parameters)
    var information = SymmetricMatrix(order: order)
    LatencyPrior.add(to: &information, sizes: sizes.count)
    var gradient = [Double](repeating: 0, count: order)
    for sample in samples {
      _ = model.logLatency(sample.place, gradient: &gradient)
      information.addOuterProduct(of: gradient, weight: 1 / (discrepancy * discrepancy))
    }
    // The prior makes it positive definite; were it not so in arithmetic, nothing would be known.
    covariance = information.inverse() ?? .diagonal(100, order: order)
  }

  /// Standard deviation of the logarithm of a latency that is not among the samples, before calibration.
  func spread(_ place: LatencyModel.Place) -> Double {
    var gradient = [Double](repeating: 0, count: model.parameters.count)
    _ = model.logLatency(place, gradient: &gradient)
    return (max(0, covariance.quadratic(gradient)) + discrepancy * discrepancy).squareRoot()
  }

  /// Starts that differ in what they take the fastest measured point for: all launch, or half of it, and a soft or a
  /// sharp passage from one regime to the other.
  private static func starts(_ samples: [Sample], _ sizes: [Int]) -> [[Double]] {
    let fastest = samples.map(\.logLatency).min() ?? 0
    let work =
      samples.map {
        $0.logLatency - Elementary.log($0.place.batch * $0.place.processes / Double(sizes[$0.place.size]))
      }.min() ?? 0
    return [0, -0.7].flatMap { launch in
      [0, 1.2].map { blend in
        [fastest + launch, work - 3, work, 0, 1, blend, -3.3, 0] + [Double](repeating: 0, count: sizes.count)
      }
    }
  }

  private static func solve(
    _ samples: [Sample], _ sizes: [Int], _ discrepancy: Double, _ starts: [[Double]]
  ) -> LeastSquares.Solution {
    let terms = LatencyPrior.terms(sizes: sizes.count)
    let solutions = starts.map { start in
      LeastSquares.minimise(from: start, count: samples.count + terms.count) { parameters, index, gradient in
        if index < samples.count {
          let model = LatencyModel(sizes: sizes, parameters: parameters)
          let value = model.logLatency(samples[index].place, gradient: &gradient)
          for column in gradient.indices { gradient[column] /= discrepancy }
          return (value - samples[index].logLatency) / discrepancy
        }
        let term = terms[index - samples.count]
        var value = -term.centre
        for column in gradient.indices { gradient[column] = 0 }
        for (column, factor) in term.factors {
          value += factor * parameters[column]
          gradient[column] = factor / term.spread
        }
        return value / term.spread
      }
    }
    // The first of equal ones, so that the result does not hang on anything but the samples.
    return solutions.dropFirst().reduce(solutions[0]) { $1.cost < $0.cost ? $1 : $0 }
  }
}
