/// When an issuer's keys are read: by themselves in a rhythm, when a token names a key that is not known, sooner after a
/// failure; and how long what was read counts. A value that is told the time, in seconds of a clock that only goes on.
package struct KeyRefresh: Sendable {
  package struct Pace: Hashable, Sendable {
    /// Seconds between two readings that nobody asks for.
    package var period = 600.0
    /// Seconds until the next try after a failure; twice as long after each further one, a period at most.
    package var retry = 5.0
    /// Readings that unknown keys may ask for at once.
    package var burst = 3.0
    /// Seconds until they may ask for one more.
    package var regain = 10.0
    /// Seconds for which keys count without having been read again.
    package var keep = 86_400.0

    package init() {}
  }

  let pace: Pace
  /// When the next reading is due.
  private(set) var due: Double
  private(set) var isRunning = false
  private(set) var failures = 0
  /// When the keys were read last; nil: never.
  private(set) var readAt: Double?
  private var allowance: Double
  private var allowanceAt: Double

  init(_ pace: Pace, at time: Double) {
    self.pace = pace
    (due, allowance, allowanceAt) = (time, pace.burst, time)
  }

  /// Whether the keys that are there still count.
  func isFresh(at time: Double) -> Bool { readAt.map { time - $0 <= pace.keep } ?? false }

  /// A token names a key that is not known. True where a reading is under way or due now, so that it may be waited for.
  mutating func ask(at time: Double) -> Bool {
    if isRunning || due <= time { return true }
    allowance = min(pace.burst, allowance + max(0, time - allowanceAt) / pace.regain)
    allowanceAt = time
    guard allowance >= 1 else { return false }
    allowance -= 1
    due = time
    return true
  }

  /// Whether a reading is to begin now; if so, it has.
  mutating func begin(at time: Double) -> Bool {
    guard !isRunning, due <= time else { return false }
    isRunning = true
    return true
  }

  mutating func end(_ succeeded: Bool, at time: Double) {
    isRunning = false
    if succeeded {
      (failures, readAt, due) = (0, time, time + pace.period)
    } else {
      due = time + min(pace.period, pace.retry * Double(1 << min(failures, 20)))
      failures += 1
    }
  }

  /// What is there is read again now, whoever has asked before: an operator says so.
  mutating func renew(at time: Double) { due = min(due, time) }
}
