import Synchronization

/// What has come of leading and following since the process began.
package final class ReplicaTally: Sendable {
  private let state = Mutex(0)

  package init() {}

  /// How often this replica has begun to lead.
  var takeovers: Int { state.withLock { $0 } }

  func tookOver() { state.withLock { $0 += 1 } }
}
