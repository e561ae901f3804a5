import Foundation
package import ParvaHTTP
import Synchronization

/// How many requests each caller may send.
package struct RateLimit: Hashable, Sendable {
  /// Most requests at once, and in each window.
  package var count: Int
  /// Seconds in which so many become free again.
  package var window: Int

  package init(count: Int, window: Int) {
    self.count = count
    self.window = window
  }

  /// Reads `COUNT/SECONDS`; nil for anything else, and for more than a million a second.
  package init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let count = Int(parts[0]), let window = Int(parts[1]), (1...86_400).contains(window),
      (1...1_000_000).contains(count)
    else { return nil }
    self.init(count: count, window: window)
  }
}

/// What each caller has used up of its rate: the cells of a leaky bucket, in bounded memory.
///
/// A value that is told the time; what has not been asked of for a whole window is forgotten.
struct RateTable: Sendable {
  /// What a request has come to.
  struct Verdict: Hashable, Sendable {
    var isAllowed: Bool
    /// Requests that may follow at once.
    var remaining: Int
    /// Seconds until all of them may, or, where this one may not, until one may.
    var seconds: Int

    fileprivate func within(_ limit: RateLimit?) -> (Verdict, RateLimit)? { limit.map { (self, $0) } }
  }

  private(set) var limit: RateLimit
  /// Most callers that are told apart; those beyond share one bucket.
  let most: Int
  /// When each caller's bucket is empty again, in seconds.
  private var emptyAt: [String: Double] = [:]
  private var sharedEmptyAt = 0.0
  private var sweptAt = -Double.infinity

  init(_ limit: RateLimit, most: Int) {
    self.limit = limit
    self.most = most
  }

  var count: Int { emptyAt.count }

  /// Sets another limit, or none. O(callers).
  static func replace(_ table: inout RateTable?, with limit: RateLimit?, at time: Double) {
    guard let limit, table != nil else {
      table = limit.map { RateTable($0, most: RateLimiter.most) }
      return
    }
    table?.change(to: limit, at: time)
  }

  private mutating func change(to limit: RateLimit, at time: Double) {
    guard limit != self.limit else { return }
    let scale = Double(limit.window) / Double(self.limit.window)
    func scaled(_ empty: Double) -> Double { time + max(0, empty - time) * scale }
    emptyAt = emptyAt.mapValues(scaled)
    sharedEmptyAt = scaled(sharedEmptyAt)
    self.limit = limit
  }

  /// Counts a request, which a refused one is not. O(1); O(callers) once a second where there are too many.
  mutating func take(_ caller: String, at time: Double) -> Verdict {
    if emptyAt[caller] == nil, emptyAt.count >= most, time - sweptAt >= 1 {
      sweptAt = time
      emptyAt = emptyAt.filter { $0.value > time }
    }
    let isShared = emptyAt[caller] == nil && emptyAt.count >= most
    let cost = Double(limit.window) / Double(limit.count)
    let before = max(time, isShared ? sharedEmptyAt : emptyAt[caller] ?? time)
    let after = before + cost
    // A whole number of requests fits however the sums were rounded.
    let slack = cost * 1e-6
    guard after - time <= Double(limit.window) + slack else {
      let wait = after - time - Double(limit.window)
      return Verdict(isAllowed: false, remaining: 0, seconds: max(1, Int(wait.rounded(.up))))
    }
    if isShared { sharedEmptyAt = after } else { emptyAt[caller] = after }
    let free = (Double(limit.window) - (after - time) + slack) / cost
    return Verdict(
      isAllowed: true, remaining: max(0, Int(free.rounded(.down))), seconds: max(1, Int((after - time).rounded(.up))))
  }
}

/// Holds every caller to a rate: holders of a credential each, all others by their address.
package final class RateLimiter: Sendable {
  /// Callers of each kind that are told apart.
  static let most = 16_384

  /// What is in force.
  package struct Rates: Hashable, Sendable {
    /// For each token or certificate; nil for as much as it likes.
    package var known: RateLimit?
    /// For each address without one.
    package var anonymous: RateLimit?
    /// Whether what agents say of their nodes counts, too.
    package var countsHeartbeats: Bool

    package init(known: RateLimit? = nil, anonymous: RateLimit? = nil, countsHeartbeats: Bool = false) {
      (self.known, self.anonymous, self.countsHeartbeats) = (known, anonymous, countsHeartbeats)
    }
  }

  private let known: Mutex<RateTable?>
  private let anonymous: Mutex<RateTable?>
  private let isOn: Atomic<Bool>
  private let countsHeartbeats: Atomic<Bool>
  private let now: @Sendable () -> ContinuousClock.Instant
  private let start: ContinuousClock.Instant

  package init(_ rates: Rates, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) {
    known = Mutex(rates.known.map { RateTable($0, most: Self.most) })
    anonymous = Mutex(rates.anonymous.map { RateTable($0, most: Self.most) })
    isOn = Atomic(rates.known != nil || rates.anonymous != nil)
    countsHeartbeats = Atomic(rates.countsHeartbeats)
    self.now = now
    start = now()
  }

  /// Sets other rates. Who has used up a part of what it had has used up that part of what it has now.
  package func replace(with rates: Rates) {
    let time = start.duration(to: now()) / .seconds(1)
    known.withLock { RateTable.replace(&$0, with: rates.known, at: time) }
    anonymous.withLock { RateTable.replace(&$0, with: rates.anonymous, at: time) }
    countsHeartbeats.store(rates.countsHeartbeats, ordering: .relaxed)
    isOn.store(rates.known != nil || rates.anonymous != nil, ordering: .relaxed)
  }

  /// For the router.
  package var meter: Router.Gate {
    { request, route throws(ProblemDetails) in try self.measure(&request, route) }
  }

  private func measure(_ request: inout HTTPRequest, _ route: Route) throws(ProblemDetails) {
    guard isOn.load(ordering: .relaxed) else { return }
    if route.access?.isHeartbeat == true, !countsHeartbeats.load(ordering: .relaxed) { return }
    if route.access?.level == 0 { return }
    let time = start.duration(to: now()) / .seconds(1)
    let taken =
      if let caller = request.caller {
        known.withLock { table in table?.take(caller.id, at: time).within(table?.limit) }
      } else {
        anonymous.withLock { table in
          table?.take(Self.place(request.remoteAddress ?? ""), at: time).within(table?.limit)
        }
      }
    guard let (verdict, limit) = taken else { return }
    let fields: HTTPHeaders = [
      "RateLimit-Policy": "\"requests\";q=\(limit.count);w=\(limit.window)",
      "RateLimit": "\"requests\";r=\(verdict.remaining);t=\(verdict.seconds)",
    ]
    guard verdict.isAllowed else {
      var headers = fields
      headers["Retry-After"] = String(verdict.seconds)
      throw ProblemDetails(
        status: 429, code: "rate_limited",
        detail: "\(request.caller?.name ?? "This address") has sent its \(limit.count) requests of \(limit.window) s; "
          + "the next may come in \(verdict.seconds) s.",
        headers: headers)
    }
    request.answerFields = fields
  }

  /// Who owns an IPv6 address owns its /64.
  static func place(_ address: String) -> String {
    guard address.contains(":") else { return address }
    var six = in6_addr()
    guard inet_pton(AF_INET6, address, &six) == 1 else { return address }
    return withUnsafeBytes(of: &six) { bytes in bytes.prefix(8).map { String($0, radix: 16) }.joined(separator: ".") }
  }
}
