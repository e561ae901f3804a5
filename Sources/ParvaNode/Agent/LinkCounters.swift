import Foundation
import Synchronization

/// What has become of the agent's talks with its controller. The link is made after the routes, so both are told of this.
package final class LinkCounters: Sendable {
  struct Totals {
    /// Talks by their outcome.
    var outcomes: [String: Int] = [:]
    /// When the controller last took a heartbeat; nil before the first.
    var lastAccepted: Date?
  }

  static let outcomes = ["accepted", "unknown", "removed", "failed"]

  private let state = Mutex(Totals())

  package init() {}

  var totals: Totals { state.withLock { $0 } }

  func add(_ outcome: String) {
    state.withLock { totals in
      totals.outcomes[outcome, default: 0] += 1
      if outcome == "accepted" { totals.lastAccepted = Date() }
    }
  }
}
