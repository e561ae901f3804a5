/// How soon the next planning may begin: at once where there was rest before, and in proportion to the last one while
/// changes come without end, so that many changes share one planning. Plannings of up to half a second take a third of a
/// core at most; longer ones more of it, at the lowest priority, because nobody is to wait longer than ``longestRest``.
struct PlanningPace: Sendable {
  /// Longest rest after a planning: what is asked of a plan is never later than this for it.
  static let longestRest = Duration.seconds(1)
  /// Rest in units of the last planning.
  static let share = 2
  /// Longest time until an unchanged demand that the planner failed on is tried again.
  static let longestRetry = Duration.seconds(300)

  /// Attempts in a row that have failed.
  private(set) var failures = 0

  mutating func ended(well: Bool) { failures = well ? 0 : failures + 1 }

  /// The rest after a planning that took so long. Failures make it longer, so that a demand which ends process after
  /// process, and changes all the time, does not keep a core busy.
  func rest(after planning: Duration) -> Duration {
    min(Self.longestRest, planning * Self.share + Self.doubled(.milliseconds(50), failures))
  }

  /// When an unchanged demand is tried again; nil where the last attempt went well.
  var retry: Duration? { failures == 0 ? nil : min(Self.longestRetry, Self.doubled(.seconds(1), failures)) }

  /// Nothing for no failure, `first` for one, twice that for two.
  private static func doubled(_ first: Duration, _ failures: Int) -> Duration {
    failures == 0 ? .zero : first * (1 << min(failures - 1, 16))
  }
}
