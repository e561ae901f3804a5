/// Whether a node's heartbeats still come, with hysteresis: it takes ``missed`` missing ones to lose a node and
/// ``regained`` on time to have it back, so that a node at the edge does not make plans go to and fro.
struct Heartbeats: Sendable {
  static let missed = 3
  static let regained = 2

  private(set) var isUnreachable: Bool
  /// The newest one, or when counting began.
  private var last: ContinuousClock.Instant
  /// On time since the node was lost.
  private var streak = 0

  /// Counting begins at `now`: a controller that has just started has missed nothing.
  init(isUnreachable: Bool, now: ContinuousClock.Instant) {
    self.isUnreachable = isUnreachable
    last = now
  }

  mutating func heard(at now: ContinuousClock.Instant, interval: Duration) {
    if isUnreachable {
      streak = streak > 0 && now - last > interval * Self.missed ? 1 : streak + 1
      if streak >= Self.regained { isUnreachable = false }
    }
    if !isUnreachable { streak = 0 }
    last = now
  }

  /// Looks at the clock.
  mutating func check(at now: ContinuousClock.Instant, interval: Duration) {
    guard now - last > interval * Self.missed else { return }
    isUnreachable = true
    streak = 0
  }
}
