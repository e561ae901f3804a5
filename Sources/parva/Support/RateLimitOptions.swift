import ArgumentParser
import ParvaAPI

/// How many requests callers of a controller may send.
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

  func validate() throws {
    for (option, text) in [("--rate-limit", rateLimit), ("--rate-limit-anonymous", rateLimitAnonymous)] {
      if let text, RateLimit(text) == nil {
        throw ValidationError("\(option) must be COUNT/SECONDS, 1 to 1000000 in 1 to 86400, not '\(text)'.")
      }
    }
  }

  var limiter: RateLimiter {
    RateLimiter(
      known: rateLimit.flatMap { RateLimit($0) }, anonymous: rateLimitAnonymous.flatMap { RateLimit($0) },
      countsHeartbeats: rateLimitHeartbeats)
  }
}
