import Foundation
import ParvaControl
import ParvaHTTP
import ParvaTestSupport
import Synchronization
import Testing

@testable import ParvaAPI

@Suite struct RateLimitTests {
  @Test(
    "however requests come, a caller has its count at once, its rate after that, and is told the truth of both",
    arguments: 0..<8)
  func randomArrivals(_ round: Int) throws {
    let seed = TestSeed.of(offset: UInt64(round))
    var random = SeededGenerator(seed: seed)
    let limit = RateLimit(count: Int.random(in: 1...20, using: &random), window: Int.random(in: 1...30, using: &random))
    var table = RateTable(limit, most: 100)
    var time = 0.0
    var allowed: [Double] = []
    for step in 0..<400 {
      time += Double.random(in: 0...2, using: &random) * Double(limit.window) / Double(limit.count)
      let verdict = table.take("a", at: time)
      if verdict.isAllowed {
        allowed.append(time)
        // What is said to remain is there, and no more.
        var copy = table
        for _ in 0..<verdict.remaining { #expect(copy.take("a", at: time).isAllowed, "seed \(seed), step \(step)") }
        #expect(!copy.take("a", at: time).isAllowed, "seed \(seed), step \(step)")
        var rested = table
        #expect(
          rested.take("a", at: time + Double(verdict.seconds)).remaining == limit.count - 1,
          "seed \(seed), step \(step)")
      } else {
        var copy = table
        #expect(copy.take("a", at: time + Double(verdict.seconds)).isAllowed, "seed \(seed), step \(step)")
      }
      // A full bucket, and what flows in within a window.
      let recent = allowed.count { $0 > time - Double(limit.window) }
      #expect(recent <= 2 * limit.count, "seed \(seed), step \(step)")
    }
    // At the rate itself nobody is ever refused.
    var steady = RateTable(limit, most: 1)
    for step in 0..<400 {
      #expect(
        steady.take("b", at: Double(step) * Double(limit.window) / Double(limit.count)).isAllowed,
        "seed \(seed), step \(step)")
    }
  }

  @Test("callers are told apart up to a bound; those beyond share, and take nothing from those that are known")
  func memoryIsBounded() {
    var table = RateTable(RateLimit(count: 2, window: 10), most: 50)
    #expect(table.take("first", at: 0).remaining == 1)
    for index in 0..<10_000 { _ = table.take("other \(index)", at: 1) }
    #expect(table.count == 50)
    #expect(table.take("first", at: 1).isAllowed)
    #expect(!table.take("newcomer", at: 1).isAllowed, "the shared bucket is full")
    // After a window of silence all are forgotten.
    #expect(table.take("newcomer", at: 30).remaining == 1 && table.count == 1)
  }

  /// Routes behind a gate and a meter.
  private static func router(
    _ limiter: RateLimiter, caller: Caller? = nil, access: Route.Access = Route.Access(level: 1, isRecorded: false)
  ) -> Router {
    var route = Route("GET", "/", .inline { _ in HTTPResponse(status: 200) })
    route.access = access
    return Router(
      routes: [route], gate: { request, _ throws(ProblemDetails) in request.caller = caller }, meter: limiter.meter)
  }

  private static func get(_ router: Router, from address: String = "10.0.0.1") async -> HTTPResponse {
    await router.respond(to: HTTPRequest(method: "GET", path: "/", remoteAddress: address))
  }

  @Test("answers tell what is left, and a refusal when to come back")
  func fieldsOfTheDraft() async {
    let limiter = RateLimiter(
      RateLimiter.Rates(known: RateLimit(count: 2, window: 60)), now: { [start = ContinuousClock.now] in start })
    let router = Self.router(limiter, caller: Caller(name: "ci", id: "token:1", role: "reader"))
    let first = await Self.get(router)
    #expect(first.headers["RateLimit-Policy"] == "\"requests\";q=2;w=60")
    #expect(first.headers["RateLimit"] == "\"requests\";r=1;t=30")
    #expect(await Self.get(router).headers["RateLimit"] == "\"requests\";r=0;t=60")
    let refused = await Self.get(router)
    #expect(refused.status == 429 && refused.headers["Retry-After"] == "30")
    #expect(refused.headers["RateLimit"] == "\"requests\";r=0;t=30")
    #expect(String(decoding: refused.body, as: UTF8.self).contains("\"code\":\"rate_limited\""))
  }

  @Test("who shows no credential is counted by address, the whole /64 of an IPv6 address together")
  func anonymousCallers() async {
    let limiter = RateLimiter(RateLimiter.Rates(anonymous: RateLimit(count: 1, window: 60)))
    let router = Self.router(limiter)
    #expect(await Self.get(router, from: "10.0.0.1").status == 200)
    #expect(await Self.get(router, from: "10.0.0.1").status == 429)
    #expect(await Self.get(router, from: "10.0.0.2").status == 200)
    #expect(await Self.get(router, from: "2001:db8:0:1::1").status == 200)
    #expect(await Self.get(router, from: "2001:db8:0:1:ffff::2").status == 429)
    #expect(await Self.get(router, from: "2001:db8:0:2::1").status == 200)
  }

  @Test("heartbeats do not count unless that is asked for, and health never does")
  func heartbeats() async {
    let limit = RateLimit(count: 1, window: 60)
    let beat = Route.Access(level: 2, speakers: .of(parameter: "name"), isRecorded: false, isHeartbeat: true)
    let agent = Caller(name: "n1", id: "token:2", role: "node", node: "n1")
    let free = Self.router(RateLimiter(RateLimiter.Rates(known: limit, anonymous: limit)), caller: agent, access: beat)
    let counted = Self.router(
      RateLimiter(RateLimiter.Rates(known: limit, anonymous: limit, countsHeartbeats: true)), caller: agent,
      access: beat)
    let health = Self.router(
      RateLimiter(RateLimiter.Rates(known: limit, anonymous: limit)), access: Route.Access(level: 0, isRecorded: false))
    for _ in 0..<5 {
      #expect(await Self.get(free).status == 200)
      #expect(await Self.get(health).status == 200)
    }
    #expect(await Self.get(counted).status == 200)
    #expect(await Self.get(counted).status == 429)
  }

  @Test func limitsAreWrittenAsCountAndSeconds() {
    #expect(RateLimit("100/1") == RateLimit(count: 100, window: 1))
    for text in ["", "100", "0/1", "1/0", "-1/1", "1/86401", "1000001/1", "1/1/1", "a/b"] {
      #expect(RateLimit(text) == nil, "\(text)")
    }
  }

  @Test(
    "another limit counts from the next request on, and whoever had used up a part of the one before has used up that part of it"
  )
  func otherLimits() async {
    let limiter = RateLimiter(RateLimiter.Rates(), now: { [start = ContinuousClock.now] in start })
    let router = Self.router(limiter, caller: Caller(name: "ci", id: "token:1", role: "reader"))
    #expect(await Self.get(router).headers["RateLimit"] == nil)
    limiter.replace(with: RateLimiter.Rates(known: RateLimit(count: 4, window: 60)))
    for left in [3, 2] { #expect(await Self.get(router).headers["RateLimit"]?.contains("r=\(left);") == true) }
    limiter.replace(with: RateLimiter.Rates(known: RateLimit(count: 20, window: 10)))
    // Half of it is used up.
    #expect(await Self.get(router).headers["RateLimit"] == "\"requests\";r=9;t=6")
    limiter.replace(with: RateLimiter.Rates(known: RateLimit(count: 2, window: 600)))
    #expect(await Self.get(router).status == 429)
    limiter.replace(with: RateLimiter.Rates())
    #expect(await Self.get(router).status == 200)
  }

  @Test("a lower limit never allows more than itself, a higher one no less", arguments: 0..<6)
  func randomChanges(_ round: Int) {
    let seed = TestSeed.of(offset: UInt64(round))
    var random = SeededGenerator(seed: seed)
    func limit() -> RateLimit {
      RateLimit(count: Int.random(in: 1...20, using: &random), window: Int.random(in: 1...30, using: &random))
    }
    var table: RateTable? = RateTable(limit(), most: 100)
    var time = 0.0
    for step in 0..<300 {
      time += Double.random(in: 0...1, using: &random)
      if Int.random(in: 0..<20, using: &random) == 0 {
        let next = limit()
        var fresh = RateTable(next, most: 1)
        RateTable.replace(&table, with: next, at: time)
        // What remains is a part of what there would be without a history.
        if var probe = table {
          let verdict = probe.take("a", at: time)
          #expect(verdict.remaining <= fresh.take("a", at: time).remaining, "seed \(seed), step \(step)")
          var rested = table
          #expect(
            rested?.take("a", at: time + Double(next.window)).remaining == next.count - 1, "seed \(seed), step \(step)")
        }
      }
      _ = table?.take("a", at: time)
    }
  }
}
