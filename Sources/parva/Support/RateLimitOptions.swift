import ArgumentParser
import ParvaAPI

/// How many requests callers of a controller may send, and how many streams they may hold.
struct RateLimitOptions: ParsableArguments {
  @Option(
    name: .long,
    help: """
      Most requests of each token or certificate, as COUNT/SECONDS: so many at once, and again within that time (default: \
      no limit).
      """)
  var rateLimit: String?

  @Option(
    name: .long, help: "The same for each address from which somebody asks without a credential, where none is needed.")
  var rateLimitAnonymous: String?

  @Flag(name: .long, help: "Count heartbeats of agents, too.")
  var rateLimitHeartbeats = false

  @Option(
    name: .long,
    help: "Most open event streams of each kind: of plans, of events, of endpoints (default: \(StreamLimits().most)).")
  var maxStreams: Int?

  @Option(
    name: .long,
    help: """
      Most of them that the credentials of one namespace together, or one token or certificate that is for all, may hold \
      (default: \(StreamLimits().share)).
      """)
  var maxStreamsPerCaller: Int?

  func validate() throws {
    for (option, count) in [("--max-streams", maxStreams), ("--max-streams-per-caller", maxStreamsPerCaller)] {
      if let count, !StreamLimits.range.contains(count) {
        throw ValidationError("\(option) must be \(StreamLimits.range.lowerBound) to \(StreamLimits.range.upperBound).")
      }
    }
    for (option, text) in [("--rate-limit", rateLimit), ("--rate-limit-anonymous", rateLimitAnonymous)] {
      if let text, RateLimit(text) == nil {
        throw ValidationError("\(option) must be COUNT/SECONDS, 1 to 1000000 in 1 to 86400, not '\(text)'.")
      }
    }
  }

  var streams: StreamLimits {
    let usual = StreamLimits()
    return StreamLimits(most: maxStreams ?? usual.most, share: maxStreamsPerCaller ?? usual.share)
  }

  var limiter: RateLimiter {
    RateLimiter(
      known: rateLimit.flatMap { RateLimit($0) }, anonymous: rateLimitAnonymous.flatMap { RateLimit($0) },
      countsHeartbeats: rateLimitHeartbeats)
  }
}
