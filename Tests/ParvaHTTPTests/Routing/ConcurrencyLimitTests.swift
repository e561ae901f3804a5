import ParvaTestSupport
import Testing

@testable import ParvaHTTP

@Suite struct ConcurrencyLimitTests {
  private static let callers = [
    Caller(name: "a", id: "token:a", role: "reader", namespace: "vision"),
    Caller(name: "b", id: "token:b", role: "operator", namespace: "vision"),
    Caller(name: "c", id: "token:c", role: "reader", namespace: "speech"),
    Caller(name: "vision", id: "vision", role: "reader"), Caller(name: "d", id: "token:d", role: "reader"),
  ]

  @Test(
    "whoever comes and goes, there are never more than may be, nor of one namespace or credential", arguments: 0..<8)
  func randomCallers(_ round: Int) throws {
    let seed = TestSeed.of(offset: UInt64(round))
    var random = SeededGenerator(seed: seed)
    let (most, share) = (Int.random(in: 1...12, using: &random), Int.random(in: 1...5, using: &random))
    let limit = ConcurrencyLimit { Route.Concurrency(most: most, share: share) }
    var open: [(who: String?, permit: ConcurrencyLimit.Permit)] = []
    for step in 0..<400 {
      if Int.random(in: 0..<5, using: &random) < 2, !open.isEmpty {
        open.remove(at: Int.random(in: 0..<open.count, using: &random))
        continue
      }
      let caller = Int.random(in: 0..<6, using: &random) == 0 ? nil : Self.callers.randomElement(using: &random)
      let who = caller.map { $0.namespace.map { "in \($0)" } ?? $0.id }
      let own = who == nil ? 0 : open.count { $0.who == who }
      do throws(ProblemDetails) {
        open.append((who, try limit.enter(caller)))
        #expect(open.count <= most && own < share, "seed \(seed), step \(step)")
      } catch {
        let isOwn = error.code == "too_many_open"
        #expect(isOwn ? own == share : open.count == most && own < share, "seed \(seed), step \(step): \(error.detail)")
        #expect(error.status == (isOwn ? 429 : 503) && error.headers["Retry-After"] != nil)
      }
    }
  }
}
