import ParvaControl
import Synchronization

/// What has come of leading and following since the process began, and who follows now.
package final class ReplicaTally: Sendable {
  private struct State {
    var takeovers = 0
    var follower: Follower?
    var shown = 0
    var heardAt: ContinuousClock.Instant?
    var isFetching = false
    var leaderTrouble: StoreError?
  }

  private let state = Mutex(State())

  package init() {}

  /// How often this replica has begun to lead.
  var takeovers: Int { state.withLock(\.takeovers) }

  func tookOver() { state.withLock { $0.takeovers += 1 } }

  /// The newest position that an answer of the leader through this replica has told of.
  var shown: Int { state.withLock(\.shown) }

  func show(_ position: Int) { state.withLock { $0.shown = max($0.shown, position) } }

  /// That of the controller which answers now; nil where it leads.
  var follower: Follower? {
    get { state.withLock(\.follower) }
    set { state.withLock { $0.follower = newValue } }
  }

  /// Whether nobody else asks other replicas for what this one lacks.
  func beginFetching() -> Bool {
    state.withLock { state in
      defer { state.isFetching = true }
      return !state.isFetching
    }
  }

  func endFetching() { state.withLock { $0.isFetching = false } }

  /// Why the leader's store takes no writes, as it has said last.
  var leaderTrouble: StoreError? {
    get { state.withLock(\.leaderTrouble) }
    set { state.withLock { $0.leaderTrouble = newValue } }
  }

  /// When the leader has last told where endpoints are, or that nothing is new; nil where nobody is asked.
  var heardAt: ContinuousClock.Instant? {
    get { state.withLock(\.heardAt) }
    set { state.withLock { $0.heardAt = newValue } }
  }
}
