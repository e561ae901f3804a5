/// A small dense symmetric matrix, row-major.
struct SymmetricMatrix: Hashable, Sendable {
  let order: Int
  private(set) var elements: [Double]

  init(order: Int) {
    self.order = order
    elements = [Double](repeating: 0, count: order * order)
  }

  static func diagonal(_ value: Double, order: Int) -> SymmetricMatrix {
    var matrix = SymmetricMatrix(order: order)
    for index in 0..<order { matrix[index, index] = value }
    return matrix
  }

  subscript(row: Int, column: Int) -> Double {
    get { elements[row * order + column] }
    set { elements[row * order + column] = newValue }
  }

  /// Adds `weight` x v v'. O(order^2).
  mutating func addOuterProduct(of vector: [Double], weight: Double = 1) {
    for row in 0..<order where vector[row] != 0 {
      for column in 0..<order { elements[row * order + column] += weight * vector[row] * vector[column] }
    }
  }

  func product(_ vector: [Double]) -> [Double] {
    (0..<order).map { row in
      var sum = 0.0
      for column in 0..<order { sum += elements[row * order + column] * vector[column] }
      return sum
    }
  }

  /// v' M v.
  func quadratic(_ vector: [Double]) -> Double {
    var sum = 0.0
    for (value, image) in zip(vector, product(vector)) { sum += value * image }
    return sum
  }

  /// The lower factor L of M = L L'; nil where the matrix is not positive definite. O(order^3).
  func choleskyFactor() -> [Double]? {
    var factor = elements
    for column in 0..<order {
      for row in column..<order {
        var sum = factor[row * order + column]
        for k in 0..<column { sum -= factor[row * order + k] * factor[column * order + k] }
        if row == column {
          guard sum > 0, sum.isFinite else { return nil }
          factor[row * order + column] = sum.squareRoot()
        } else {
          factor[row * order + column] = sum / factor[column * order + column]
        }
      }
    }
    return factor
  }

  /// The solution of M x = b; nil where the matrix is not positive definite.
  func solve(_ b: [Double]) -> [Double]? {
    guard let factor = choleskyFactor() else { return nil }
    return Self.substitute(factor, b, order)
  }

  /// The inverse; nil where the matrix is not positive definite. O(order^3).
  func inverse() -> SymmetricMatrix? {
    guard let factor = choleskyFactor() else { return nil }
    var inverse = SymmetricMatrix(order: order)
    for column in 0..<order {
      var unit = [Double](repeating: 0, count: order)
      unit[column] = 1
      for (row, value) in Self.substitute(factor, unit, order).enumerated() { inverse[row, column] = value }
    }
    return inverse
  }

  private static func substitute(_ factor: [Double], _ b: [Double], _ order: Int) -> [Double] {
    var x = b
    for row in 0..<order {
      for k in 0..<row { x[row] -= factor[row * order + k] * x[k] }
      x[row] /= factor[row * order + row]
    }
    for row in (0..<order).reversed() {
      for k in stride(from: row + 1, to: order, by: 1) { x[row] -= factor[k * order + row] * x[k] }
      x[row] /= factor[row * order + row]
    }
    return x
  }
}
