import Foundation
import ParvaTestSupport

@testable import ParvaEngine

extension ReferenceQueue {
  /// Shares of requests later than `objective` milliseconds in `groups` equal stretches, after one more that fills the
  /// queue. Gaps in milliseconds come from `gap`.
  func late(objective: Double, groups: Int, size: Int, gap: () -> Double) -> [Double] {
    var clock = 0.0
    let arrivals = (0..<((groups + 1) * size)).map { _ in
      clock += gap()
      return clock
    }
    var queue = self
    var late = [Double](repeating: 0, count: groups + 1)
    queue.serve(arrivals.span) { batch, done in
      for arrival in batch where done - arrivals[arrival] > objective { late[arrival / size] += 1 / Double(size) }
      return true
    }
    return Array(late.dropFirst())
  }
}

extension SeededGenerator {
  mutating func exponential() -> Double { -log(1 - Double.random(in: 0..<1, using: &self)) }

  /// A gamma variate of mean 1: of shape 1/n as the product of a beta and an exponential variate for n = 4, where the
  /// beta variate comes from Jöhnk's method.
  mutating func gamma(cv2: Double) -> Double {
    let shape = 1 / cv2
    while true {
      let x = pow(Double.random(in: 0..<1, using: &self), 1 / shape)
      let y = pow(Double.random(in: 0..<1, using: &self), 1 / (1 - shape))
      if x + y <= 1, x + y > 0 { return x / (x + y) * exponential() * cv2 }
    }
  }
}
