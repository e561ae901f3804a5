/// When a node that does not have what it is to have is pushed to again: at once for what is new to it, and after each
/// attempt that failed later, by pauses that double. Pure.
struct PushRetries: Sendable {
  /// After the first attempt that failed.
  var first: Duration
  var longest: Duration

  private struct Attempt {
    var revision: Int
    var count = 1
    /// Nil while the attempt runs.
    var next: ContinuousClock.Instant?
  }

  private var attempts: [String: Attempt] = [:]

  init(first: Duration, longest: Duration) {
    self.first = first
    self.longest = longest
  }

  /// Nodes that wait for another attempt, and how long.
  func pauses(at now: ContinuousClock.Instant) -> [String: Duration] {
    attempts.compactMapValues { attempt in attempt.next.flatMap { $0 > now ? $0 - now : nil } }
  }

  /// The nodes to push to now; they count as being pushed to from here on.
  ///
  /// - Parameters:
  ///   - behind: nodes that do not have what this revision wants of them and that nobody pushes to.
  ///   - busy: nodes that are being pushed to.
  ///   - drawn: what is waited of a pause, so that nodes that failed together do not come back together.
  mutating func due(
    _ behind: [String], busy: Set<String>, revision: Int, at now: ContinuousClock.Instant,
    drawn: (Duration) -> Duration = { $0 * Double.random(in: 0.5...1) }
  ) -> [String] {
    let known = Set(behind).union(busy)
    attempts = attempts.filter { known.contains($0.key) }
    return behind.filter { name in
      guard let attempt = attempts[name], attempt.revision == revision else {
        attempts[name] = Attempt(revision: revision)
        return true
      }
      guard let next = attempt.next else {
        // Its attempt has ended, and not as wanted.
        attempts[name]?.next = now + drawn(min(longest, first * (1 << min(attempt.count - 1, 20))))
        return false
      }
      guard now >= next else { return false }
      attempts[name]?.next = nil
      attempts[name]?.count += 1
      return true
    }
  }
}
