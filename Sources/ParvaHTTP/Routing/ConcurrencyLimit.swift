import Synchronization

/// How many requests of one route are under way.
final class ConcurrencyLimit: Sendable {
  /// The right to be one of them, given back when the last reference to it goes.
  final class Permit: Sendable {
    private let limit: ConcurrencyLimit

    fileprivate init(_ limit: ConcurrencyLimit) { self.limit = limit }

    deinit { limit.running.withLock { $0 -= 1 } }
  }

  private let most: Int
  private let running = Mutex(0)

  init(_ most: Int) { self.most = most }

  /// Nil when there are enough already.
  func enter() -> Permit? {
    let entered = running.withLock { count in
      guard count < most else { return false }
      count += 1
      return true
    }
    return entered ? Permit(self) : nil
  }

  static let problem = ProblemDetails(
    status: 503, code: "too_busy", detail: "This resource answers as many requests as it may; try again shortly.",
    headers: ["Retry-After": "1"])
}
