import Synchronization

/// When parts of automatic applies may begin so that no minute sees more segments made than is allowed. Pure.
///
/// A part that makes more than that by itself begins once nothing was made for a minute.
struct MoveWindow: Sendable {
  let most: Int
  let length: Duration
  private var made: [(at: ContinuousClock.Instant, count: Int)] = []

  init(most: Int, length: Duration = .seconds(60)) {
    (self.most, self.length) = (most, length)
  }

  /// Takes so many now; answers nil, or when they may be taken.
  mutating func take(_ count: Int, at now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
    made.removeAll { now - $0.at >= length }
    var sum = made.reduce(0) { $0 + $1.count }
    if sum + count <= most || made.isEmpty {
      made.append((now, count))
      return nil
    }
    for old in made {
      sum -= old.count
      if sum + count <= most { return old.at + length }
    }
    return (made.last?.at ?? now) + length
  }
}

/// Lets the parts of automatic applies begin in turn, as many in a minute as are allowed.
final class MoveLimit: Sendable {
  private struct State {
    var window: MoveWindow
    /// Tickets of those who wait, in order.
    var waiting: [Int] = []
    var issued = 0
    /// When the first of them may begin.
    var next: ContinuousClock.Instant?
  }

  /// Most segments in a minute.
  let most: Int
  private let state: Mutex<State>

  init(most: Int, length: Duration = .seconds(60)) {
    self.most = most
    state = Mutex(State(window: MoveWindow(most: most, length: length)))
  }

  /// Parts that wait, and how long the first of them has to.
  var waiting: (count: Int, pause: Duration) {
    state.withLock { ($0.waiting.count, max(.zero, ($0.next ?? .now) - .now)) }
  }

  /// Returns once a part that makes so many segments may begin; false where it is not to begin at all.
  ///
  /// - Parameter tell: called while it waits, again and again, with how long that is as far as is known.
  func run(_ count: Int, _ control: RolloutControl, tell: @Sendable (Duration) async -> Void) async -> Bool {
    guard count > 0 else { return true }
    let ticket = state.withLock { state in
      state.issued += 1
      state.waiting.append(state.issued)
      return state.issued
    }
    defer { state.withLock { state in state.waiting.removeAll { $0 == ticket } } }
    while !Task.isCancelled {
      let wishes = control.wishes
      if wishes.isAborted || wishes.rollsBack { return false }
      if wishes.isPaused {
        // Others need not wait for somebody who is paused.
        state.withLock { state in state.waiting.removeAll { $0 == ticket } }
        _ = await control.next(after: wishes.serial)
        state.withLock { $0.waiting.append(ticket) }
        continue
      }
      let pause = state.withLock { state -> Duration? in
        guard state.waiting.first == ticket else { return max(.zero, (state.next ?? .now) - .now) }
        state.next = state.window.take(count, at: .now)
        return state.next.map { max(.zero, $0 - .now) }
      }
      guard let pause else { return true }
      await tell(pause)
      _ = await control.next(after: wishes.serial, within: min(.seconds(1), max(.milliseconds(20), pause)))
    }
    return false
  }
}
