import ParvaTestSupport
import Synchronization
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

  @Test("bounds that change count from the next request on, and take nothing away", arguments: 0..<6)
  func changingBounds(_ round: Int) {
    let seed = TestSeed.of(offset: UInt64(round))
    var random = SeededGenerator(seed: seed)
    let bounds = Bounds()
    let limit = ConcurrencyLimit { bounds.value.withLock { $0 } }
    var open: [ConcurrencyLimit.Permit] = []
    for step in 0..<400 {
      switch Int.random(in: 0..<6, using: &random) {
      case 0:
        let (most, share) = (Int.random(in: 1...8, using: &random), Int.random(in: 1...8, using: &random))
        bounds.value.withLock { $0 = Route.Concurrency(most: most, share: share) }
      case 1, 2: if !open.isEmpty { open.removeFirst() }
      default:
        let now = bounds.value.withLock { $0 }
        let permit = try? limit.enter(Self.callers[0])
        #expect((permit != nil) == (open.count < min(now.most, now.share ?? .max)), "seed \(seed), step \(step)")
        if let permit { open.append(permit) }
      }
    }
  }

  private final class Bounds: Sendable { let value = Mutex(Route.Concurrency(most: 4, share: 2)) }
}
