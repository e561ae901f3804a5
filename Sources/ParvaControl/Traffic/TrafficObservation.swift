import Foundation
package import ParvaEngine
import ParvaWire

/// What was seen of one workload's requests in a stretch of time, beside what it declares. Never an input of planning.
package struct TrafficObservation: Sendable {
  /// Requests that a share is judged by at least.
  static let least = 100.0
  /// Standard errors by which a figure has to lie outside of the band.
  static let doubt = 3.0

  /// Length of the stretch.
  package var seconds: Double
  package var counts: TrafficCounts
  /// By segment, in order.
  package var segments: [(id: String, rate: Double)]

  /// - Parameter segment: of a server by address and port.
  package init(_ counts: TrafficCounts, seconds: Double, segment: [String: String]) {
    self.counts = counts
    self.seconds = seconds
    var rates: [String: Double] = [:]
    for (server, count) in counts.servers {
      if let id = segment[server] { rates[id, default: 0] += count / seconds }
    }
    segments = rates.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  /// Requests per second.
  package var rate: Double { counts.requests / seconds }

  /// The share of requests that were answered within so many milliseconds: between two bounds, as far as the proxy's buckets
  /// tell. Nil where none is over.
  package func share(within milliseconds: Double) -> ClosedRange<Double>? {
    let total = max(counts.requests, counts.within.values.max() ?? 0)
    guard total > 0 else { return nil }
    let below = counts.within.filter { $0.key <= milliseconds }.values.max() ?? 0
    let above = counts.within.filter { $0.key >= milliseconds }.values.min() ?? total
    // Which of them failed is not told by the buckets.
    let least = max(0, below - counts.failed) / total
    return least...max(least, min(above, total - counts.failed) / total)
  }

  /// The smallest bound within which so large a share was answered; nil where there is none.
  package func latency(of share: Double) -> Double? {
    let total = counts.within.values.max() ?? 0
    guard total > 0 else { return nil }
    return counts.within.filter { $0.value >= share * total }.keys.min()
  }

  /// Whether it goes as declared, with a band of so large a share: only what chance does not explain is a deviation.
  package func condition(_ workload: Workload, band: Double) -> Condition {
    let most = workload.rate * (1 + band)
    let doubt = Self.doubt * max(1, counts.requests).squareRoot() / seconds
    if rate - doubt > most {
      return Condition(
        Self.type, .isFalse, "rate_above_planned",
        "\(rate.shortText) requests/s were seen in \(Int(seconds)) s, \(workload.rate.shortText) are declared and planned"
      )
    }
    guard counts.requests >= Self.least, let share = share(within: workload.sloLatencyMs) else {
      return Condition(
        Self.type, .unknown, "too_few_requests", "\(Int(counts.requests)) requests in \(Int(seconds)) s tell too little"
      )
    }
    let promised = workload.percentile
    let error = Self.doubt * (promised * (1 - promised) / counts.requests).squareRoot()
    if share.upperBound + error < promised {
      return Condition(
        Self.type, .isFalse, "slo_missed",
        "at most \((share.upperBound * 100).shortText) % of the requests were answered within \(workload.sloLatencyMs.shortText) ms, \((promised * 100).shortText) % are promised"
      )
    }
    return Condition(
      Self.type, .isTrue, "as_planned",
      "\(rate.shortText) requests/s, at least \((share.lowerBound * 100).shortText) % of them within \(workload.sloLatencyMs.shortText) ms"
    )
  }

  static let type = WorkloadConditions.Observed.type

  /// Where nothing was seen yet.
  static let unseen = Condition(type, .unknown, "not_observed", "no proxy has counted requests of it")
}
