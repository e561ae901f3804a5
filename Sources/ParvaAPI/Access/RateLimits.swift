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

  let limit: RateLimit
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

  private let known: Mutex<RateTable?>
  private let anonymous: Mutex<RateTable?>
  private let isOn: Bool
  private let countsHeartbeats: Bool
  private let now: @Sendable () -> ContinuousClock.Instant
  private let start: ContinuousClock.Instant

  /// - Parameters:
  ///   - known: for each token or certificate; nil for as much as it likes.
  ///   - anonymous: for each address without one.
  ///   - countsHeartbeats: whether what agents say of their nodes counts, too.
  package init(
    known: RateLimit?, anonymous: RateLimit?, countsHeartbeats: Bool = false,
    now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
  ) {
    self.known = Mutex(known.map { RateTable($0, most: Self.most) })
    self.anonymous = Mutex(anonymous.map { RateTable($0, most: Self.most) })
    isOn = known != nil || anonymous != nil
    self.countsHeartbeats = countsHeartbeats
    self.now = now
    start = now()
  }

  /// For the router; nil where nothing is limited.
  package var meter: Router.Gate? {
    guard isOn else { return nil }
    return { request, route throws(ProblemDetails) in try self.measure(&request, route) }
  }

  private func measure(_ request: inout HTTPRequest, _ route: Route) throws(ProblemDetails) {
    if route.access?.isHeartbeat == true, !countsHeartbeats { return }
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
