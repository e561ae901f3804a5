import Foundation
import ParvaFormats
import ParvaHTTP

/// Whether, and when, a request is sent again: one that was surely not done, and one that does no harm if it is done twice.
struct RequestRetry {
  /// What has come of one attempt.
  enum Outcome {
    case answered(HTTPResponse)
    case failed(HTTPClientError)
  }

  enum Verdict: Equatable {
    /// It stays with that.
    case final
    /// Another replica may know better; this one will not by waiting.
    case elsewhere
    /// May be sent again; `after` seconds, where the controller says so. In doubt it may have been done.
    case again(after: Int?, inDoubt: Bool)
  }

  /// Problems that say that nothing was done, and that this passes.
  private static let passing: Set<String> = [
    "not_leader", "copy_not_ready", "copy_too_old", "too_busy", "try_again", "plan_pending", "endpoints_pending",
  ]
  private static let firstPause = 0.1
  private static let longestPause = 2.0

  private let end: ContinuousClock.Instant
  private var pause = Self.firstPause

  /// - Parameter patience: for how long.
  init(for patience: Duration) { end = .now + patience }

  static func verdict(of outcome: Outcome, to request: HTTPClientRequest) -> Verdict {
    switch outcome {
    case .failed(let error):
      switch error.code {
      case .connectFailed: return .again(after: nil, inDoubt: false)
      case .transferFailed, .timeout, .closed: return request.isRepeatable ? .again(after: nil, inDoubt: true) : .final
      // Nothing was sent, and it will be no other here.
      case .tlsFailed, .targetForbidden: return .elsewhere
      case .bodyTooLarge: return ["GET", "HEAD"].contains(request.method) ? .elsewhere : .final
      default: return .final
      }
    case .answered(let response):
      let after = response.headers["Retry-After"].flatMap { Int($0) }.map { max(0, $0) }
      let code = response.status >= 500 ? (try? ServerConnection.value(of: response))?["code"].text : nil
      if response.status == 429 || code.map(passing.contains) == true { return .again(after: after, inDoubt: false) }
      guard request.isRepeatable, response.status >= 500 else { return .final }
      if [502, 503, 504].contains(response.status) { return .again(after: after, inDoubt: true) }
      return ["GET", "HEAD"].contains(request.method) ? .elsewhere : .final
    }
  }

  /// How long to wait before the next round; nil where there is to be none.
  mutating func wait(after seconds: Int?) -> Duration? {
    // Half of it is drawn: clients that failed together do not come back together.
    let drawn = Duration.seconds(pause * Double.random(in: 0.5...1))
    pause = min(Self.longestPause, 2 * pause)
    let wait = max(drawn, .seconds(seconds ?? 0))
    return .now + wait < end ? wait : nil
  }
}
