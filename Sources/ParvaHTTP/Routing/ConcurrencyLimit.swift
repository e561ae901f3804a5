import Synchronization

/// How many requests of one route are under way, in all and of each caller.
final class ConcurrencyLimit: Sendable {
  /// The right to be one of them, given back when the last reference to it goes.
  final class Permit: Sendable {
    private let limit: ConcurrencyLimit
    private let caller: String?

    fileprivate init(_ limit: ConcurrencyLimit, _ caller: String?) { (self.limit, self.caller) = (limit, caller) }

    deinit { limit.leave(caller) }
  }

  private struct Running {
    var count = 0
    /// By whom, where each has a share.
    var shares: [String: Int] = [:]
  }

  private let bounds: @Sendable () -> Route.Concurrency
  private let running = Mutex(Running())

  /// - Parameter bounds: those in force now. Where they have become less, what is open stays until it ends.
  init(_ bounds: @escaping @Sendable () -> Route.Concurrency) { self.bounds = bounds }

  /// - Throws: 503 `too_busy` where there are enough, 429 `too_many_open` where the caller has enough.
  func enter(_ caller: Caller?) throws(ProblemDetails) -> Permit {
    let bounds = bounds()
    let (most, share) = (bounds.most, bounds.share)
    let name = share == nil ? nil : caller?.share
    let refusal = running.withLock { running -> ProblemDetails? in
      if let name, let share, running.shares[name, default: 0] >= share { return Self.problem(of: caller, share) }
      guard running.count < most else { return Self.problem }
      running.count += 1
      if let name { running.shares[name, default: 0] += 1 }
      return nil
    }
    if let refusal { throw refusal }
    return Permit(self, name)
  }

  private func leave(_ name: String?) {
    running.withLock { running in
      running.count -= 1
      guard let name, let own = running.shares[name] else { return }
      running.shares[name] = own == 1 ? nil : own - 1
    }
  }

  private static func problem(of caller: Caller?, _ share: Int) -> ProblemDetails {
    let who = caller?.namespace.map { "The namespace \($0)" } ?? caller?.name ?? "The caller"
    return ProblemDetails(
      status: 429, code: "too_many_open",
      detail:
        "\(who) has \(share) request\(share == 1 ? "" : "s") of this kind open, which is all that one may have; "
        + "let one end first.",
      headers: ["Retry-After": "1"])
  }

  private static let problem = ProblemDetails(
    status: 503, code: "too_busy", detail: "This resource answers as many requests as it may; try again shortly.",
    headers: ["Retry-After": "1"])
}
