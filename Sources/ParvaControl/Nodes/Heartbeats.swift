/// Whether a node's heartbeats still come, with hysteresis: it takes ``missed`` missing ones to take a node for
/// unreachable and ``regained`` on time to have it back, so that a node at the edge does not make plans go to and fro.
struct Heartbeats: Sendable {
  static let missed = 3
  static let regained = 2
  /// For the first one there is so long at least, however short the interval: a node looks for a controller that was
  /// started, or for the one that leads now, and may be held up by one that stands still.
  static let firstWord = Duration.seconds(10)

  /// When the node was taken for unreachable; nil where it is not.
  private(set) var silentSince: ContinuousClock.Instant?
  /// The newest one, or when counting began.
  private var last: ContinuousClock.Instant
  /// On time since the node fell silent.
  private var streak = 0
  /// Whether it was not heard since counting began, and its first heartbeat brings it back.
  private var isDue: Bool

  var isUnreachable: Bool { silentSince != nil }

  /// Counting begins at `now`: a controller that has just started has missed nothing. Whom the one before it did not reach, it
  /// may reach all the same; who was lost comes back as always.
  init(isUnreachable: Bool, isLost: Bool = false, now: ContinuousClock.Instant) {
    silentSince = isUnreachable ? now : nil
    last = now
    isDue = !isLost
  }

  /// How long a node that was not lost when counting began has until its first one.
  static func patience(_ interval: Duration) -> Duration { max(interval * missed, firstWord) }

  mutating func heard(at now: ContinuousClock.Instant, interval: Duration) {
    if isUnreachable {
      streak = streak > 0 && now - last > interval * Self.missed ? 1 : streak + 1
      // Whose first one comes late was looking for the controller: it has not fallen silent.
      if isDue || streak >= Self.regained { silentSince = nil }
    }
    if !isUnreachable { streak = 0 }
    (last, isDue) = (now, false)
  }

  /// Whether its first one may yet be on its way.
  func isAwaited(at now: ContinuousClock.Instant, interval: Duration) -> Bool {
    isDue && now - last <= Self.patience(interval)
  }

  /// Looks at the clock.
  mutating func check(at now: ContinuousClock.Instant, interval: Duration) {
    guard isDue ? !isAwaited(at: now, interval: interval) : now - last > interval * Self.missed else { return }
    silentSince = silentSince ?? now
    streak = 0
  }
}
