import ArgumentParser
import ParvaAPI

/// How many requests callers of a controller may send, how many streams they may hold, and what bodies may take. SIGHUP reads these
/// options again.
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

  @Option(
    name: .long,
    help: """
      Most MiB of large request bodies (of more than 64 KiB) together, from their first byte until what they asked for is \
      done; more are answered 503. One caller has at most a quarter of it (and 64 MiB in any case).
      """)
  var maxBodyMemoryMib = 512

  /// From the largest body that a route takes.
  private static let bodyMemory = 64...1_048_576

  func validate() throws {
    guard Self.bodyMemory.contains(maxBodyMemoryMib) else {
      throw ValidationError(
        "--max-body-memory-mib must be \(Self.bodyMemory.lowerBound) to \(Self.bodyMemory.upperBound).")
    }
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

  var rates: RateLimiter.Rates {
    RateLimiter.Rates(
      known: rateLimit.flatMap { RateLimit($0) }, anonymous: rateLimitAnonymous.flatMap { RateLimit($0) },
      countsHeartbeats: rateLimitHeartbeats)
  }

  var bodyMemory: Int { maxBodyMemoryMib << 20 }

  /// A quarter, and so much that every route's largest body fits.
  var bodyMemoryPerCaller: Int { max(bodyMemory / 4, Self.bodyMemory.lowerBound << 20) }

  /// The long name of each option, and what stands there.
  private static let all: [(name: String, value: @Sendable (RateLimitOptions) -> String)] = [
    ("rate-limit", { $0.rateLimit ?? "none" }), ("rate-limit-anonymous", { $0.rateLimitAnonymous ?? "none" }),
    ("rate-limit-heartbeats", { String($0.rateLimitHeartbeats) }), ("max-streams", { String($0.streams.most) }),
    ("max-streams-per-caller", { String($0.streams.share) }),
    ("max-body-memory-mib", { String($0.maxBodyMemoryMib) }),
  ]

  /// Long names of all of them.
  static let names = Set(all.map(\.name))

  /// What is not as it was before, for the log; nil where everything is.
  func changes(from before: RateLimitOptions) -> String? {
    let changes = Self.all.map { ($0.name, $0.value(before), $0.value(self)) }.filter { $0.1 != $0.2 }
      .map { "\($0.0) \($0.1) -> \($0.2)" }
    return changes.isEmpty ? nil : changes.joined(separator: ", ")
  }
}
