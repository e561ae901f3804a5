import ParvaControl
import Synchronization

/// What has come of leading and following since the process began, and who follows now.
package final class ReplicaTally: Sendable {
  private struct State {
    var takeovers = 0
    var follower: Follower?
  }

  private let state = Mutex(State())

  package init() {}

  /// How often this replica has begun to lead.
  var takeovers: Int { state.withLock(\.takeovers) }

  func tookOver() { state.withLock { $0.takeovers += 1 } }

  /// That of the controller which answers now; nil where it leads.
  var follower: Follower? {
    get { state.withLock(\.follower) }
    set { state.withLock { $0.follower = newValue } }
  }
}
