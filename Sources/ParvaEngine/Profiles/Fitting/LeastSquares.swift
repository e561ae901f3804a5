/// Levenberg and Marquardt's method for small problems: minimises the sum of squares of residuals.
enum LeastSquares {
  struct Solution: Sendable {
    var parameters: [Double]
    /// Sum of squares of the residuals.
    var cost: Double
  }

  /// Longest step of one parameter. Parameters are logarithms and exponents, so a step of 2 is a factor of seven.
  private static let longestStep = 2.0

  /// Walks downhill from `start` until nothing is gained any more.
  ///
  /// - Parameters:
  ///   - evaluate: gives the residual's value and derivative for each index below `count`.
  ///   - iterations: most steps that are tried.
  /// - Complexity: O(iterations x (count x order^2 + order^3)).
  static func minimise(
    from start: [Double], count: Int, iterations: Int = 80,
    evaluate: (_ parameters: [Double], _ index: Int, _ gradient: inout [Double]) -> Double
  ) -> Solution {
    let order = start.count
    var gradient = [Double](repeating: 0, count: order)
    func cost(_ parameters: [Double]) -> Double {
      var sum = 0.0
      for index in 0..<count {
        let residual = evaluate(parameters, index, &gradient)
        sum += residual * residual
      }
      return sum
    }
    var best = Solution(parameters: start, cost: cost(start))
    var damping = 1e-2
    var normal = SymmetricMatrix(order: order)
    var slope = [Double](repeating: 0, count: order)
    var isFresh = false
    for _ in 0..<iterations {
      if !isFresh {
        normal = SymmetricMatrix(order: order)
        slope = [Double](repeating: 0, count: order)
        for index in 0..<count {
          let residual = evaluate(best.parameters, index, &gradient)
          normal.addOuterProduct(of: gradient)
          for column in 0..<order { slope[column] -= residual * gradient[column] }
        }
        isFresh = true
      }
      var damped = normal
      for column in 0..<order { damped[column, column] += damping * max(normal[column, column], 1e-9) }
      guard let step = damped.solve(slope) else {
        damping *= 10
        continue
      }
      let longest = step.map(\.magnitude).max() ?? 0
      let scale = longest > longestStep ? longestStep / longest : 1
      let trial = zip(best.parameters, step).map { $0 + scale * $1 }
      let value = cost(trial)
      if value.isFinite, value < best.cost {
        let gain = best.cost - value
        best = Solution(parameters: trial, cost: value)
        damping = max(damping / 5, 1e-9)
        isFresh = false
        if gain <= 1e-10 * (1 + value) { break }
      } else {
        damping *= 4
        if damping > 1e10 { break }
      }
    }
    return best
  }
}
