import Foundation
import ParvaTestSupport

@testable import ParvaEngine

/// A segment with execution times that grow with the batch, for capacities that are held to a simulation of their own.
struct RandomQueue {
  let processes: Int
  /// The largest batch.
  let limit: Int
  /// One for each power of two up to the limit.
  let points: [ProfilePoint]
  /// How long the largest batch executes, in milliseconds.
  let full: Double

  /// At most `mostProcesses` processes, and batches up to 2^`largest`.
  init(mostProcesses: Int, largest: Int, _ random: inout SeededGenerator) {
    let processes = Int.random(in: 1...mostProcesses, using: &random)
    let limit = 1 << Int.random(in: 0...largest, using: &random)
    let fixed = exp(Double.random(in: log(1)...log(50), using: &random))
    let each = fixed * exp(Double.random(in: log(0.002)...log(1), using: &random))
    (self.processes, self.limit) = (processes, limit)
    points = (0...largest).map { 1 << $0 }.filter { $0 <= limit }.map {
      Self.point(batch: $0, processes: processes, latencyMs: fixed + each * Double($0))
    }
    full = fixed + each * Double(limit)
  }

  static func point(batch: Int, processes: Int, latencyMs: Double) -> ProfilePoint {
    ProfilePoint(
      profile: 0, batch: batch, processes: processes, throughput: 1000 * Double(batch * processes) / latencyMs,
      latencyMs: latencyMs)
  }

  static func table(
    _ points: [ProfilePoint], _ queue: QueueForm = .shared, arrivals: CertifiedArrivals = .poisson, tail: Double = 0.01
  ) -> KindCapacity {
    CapacityTables().kind(
      0, of: ModelProfile(model: "m", product: "A100-80GB", source: .measured, points: points), queue, arrivals,
      tail: tail)
  }

  /// The share of late requests in sixteen stretches of 4000, and what it surely is at least: three standard errors less.
  func lateness(_ table: KindCapacity, objective: Double, gap: () -> Double) -> (mean: Double, least: Double)? {
    guard let point = table.points.first(where: { $0.batch == limit }) else { return nil }
    let queue = ReferenceQueue(execution: point.milliseconds, processes: processes)
    let groups = queue.late(objective: objective, groups: 16, size: 4000, gap: gap)
    let mean = groups.reduce(0, +) / 16
    let deviation = (groups.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 15).squareRoot()
    return (mean, mean - 3 * deviation / 4)
  }
}
