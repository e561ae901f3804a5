/// Gamma variates of mean 1 and a given squared coefficient of variation, by Marsaglia and Tsang (2000).
struct GammaSampler: Sendable {
  /// Shape of the variate that is drawn, at least 1.
  private let d: Double
  private let c: Double
  /// Power of the uniform variate that makes up for a shape below 1; 0 where there is nothing to make up for. The
  /// logarithm of that variate is drawn as what it is: an exponential one.
  private let boost: Double
  private let exponential = ExponentialSampler.shared
  private let scale: Double
  /// Second normal variate of a pair.
  private var spare: Double?

  /// - Parameter cv2: squared coefficient of variation, above 0; the shape is its reciprocal.
  init(cv2: Double) {
    let shape = 1 / cv2
    let drawn = shape < 1 ? shape + 1 : shape
    d = drawn - 1.0 / 3
    c = 1 / (9 * d).squareRoot()
    boost = shape < 1 ? cv2 : 0
    scale = cv2
  }

  mutating func next(_ random: inout Xoshiro256) -> Double {
    while true {
      let x = normal(&random)
      let root = 1 + c * x
      guard root > 0 else { continue }
      let v = root * root * root
      let u = random.unit()
      let square = x * x
      if u < 1 - 0.0331 * square * square || Elementary.log(u) < 0.5 * square + d * (1 - v + Elementary.log(v)) {
        let gamma = d * v * scale
        return boost == 0 ? gamma : gamma * Elementary.exp(-boost * exponential.next(&random))
      }
    }
  }

  /// Standard normal by Marsaglia's polar method.
  private mutating func normal(_ random: inout Xoshiro256) -> Double {
    if let spare {
      self.spare = nil
      return spare
    }
    while true {
      let a = 2 * random.unit() - 1
      let b = 2 * random.unit() - 1
      let square = a * a + b * b
      guard square < 1 else { continue }
      let factor = (-2 * Elementary.log(square) / square).squareRoot()
      spare = b * factor
      return a * factor
    }
  }
}
