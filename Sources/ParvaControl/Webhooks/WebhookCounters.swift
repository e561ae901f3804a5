package import ParvaServing
import Synchronization

/// What has come of tries since this process began.
package final class WebhookCounters: Sendable {
  package struct Totals: Sendable {
    /// By code; what is no delivery and no known failure of the client is `status_4xx` and the like.
    package var outcomes: [String: Int] = [:]
    package var buried = 0
    package var gaps = 0
    package var durations = Histogram(bounds: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15])
  }

  private let state = Mutex(Totals())

  package var totals: Totals { state.withLock { $0 } }

  /// - Parameter seconds: nil for what was not tried.
  func count(_ code: String, seconds: Double? = nil) {
    // By hundreds: what receivers make up is not to become series.
    let outcome = code.hasPrefix("status_") ? "status_\(code.dropFirst(7).prefix(1))xx" : code
    state.withLock { totals in
      totals.outcomes[outcome, default: 0] += 1
      if let seconds { totals.durations.add(seconds) }
    }
  }

  func buried() { state.withLock { $0.buried += 1 } }
  func gap() { state.withLock { $0.gaps += 1 } }
}
