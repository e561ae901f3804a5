import Foundation
import ParvaTestSupport

/// A batch server written down as plainly as it can be, request by request, to judge the capacities by.
struct ReferenceQueue {
  var processes: Int
  /// Execution times of batches of 1...limit requests in milliseconds.
  var milliseconds: [Double]

  /// Shares of requests later than `objective` milliseconds in `groups` equal stretches, after one more that fills the
  /// queue. Gaps in milliseconds come from `gap`.
  func late(objective: Double, groups: Int, size: Int, gap: () -> Double) -> [Double] {
    var clock = 0.0
    let arrivals = (0..<((groups + 1) * size)).map { _ in
      clock += gap()
      return clock
    }
    var free = [Double](repeating: 0, count: processes)
    var sojourns: [Double] = []
    sojourns.reserveCapacity(arrivals.count)
    while sojourns.count < arrivals.count {
      let server = free.indices.min { free[$0] < free[$1] } ?? 0
      let start = max(free[server], arrivals[sojourns.count])
      let batch = arrivals[sojourns.count...].prefix(milliseconds.count).prefix { $0 <= start }
      free[server] = start + milliseconds[batch.count - 1]
      for arrival in batch { sojourns.append(free[server] - arrival) }
    }
    return (1...groups).map { group in
      Double(sojourns[(group * size)..<((group + 1) * size)].count { $0 > objective }) / Double(size)
    }
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
