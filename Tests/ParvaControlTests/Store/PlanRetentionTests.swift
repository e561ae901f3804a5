import Foundation
import ParvaControl
import ParvaControlTestSupport
import Testing

@Suite struct PlanRetentionTests {
  private static let now = Samples.time

  /// Plans 5 to 1, one a day, of 10 bytes each.
  private static let plans = (0..<5).map {
    PlanRetention.Entry(revision: 5 - $0, createdAt: now - Double($0) * 86_400, bytes: 10)
  }

  private struct Case {
    var count = 100
    var bytes = 1_000
    var days = 100.0
    let first: Int
  }

  @Test("S2: plans are kept within a count, within bytes and within an age, the newest always")
  func eachBoundHolds() {
    let cases = [
      Case(first: 1), Case(count: 2, first: 4), Case(count: 1, first: 5), Case(bytes: 39, first: 3),
      Case(bytes: 40, first: 2), Case(bytes: 1, first: 5), Case(count: 0, first: 5),
      // Plan 4 was replaced when plan 5 came, just now; plan 3 a day ago.
      Case(days: 0, first: 4), Case(days: 1, first: 3), Case(days: 1.5, first: 3), Case(count: 4, days: 1, first: 3),
    ]
    for given in cases {
      let bounds = PlanRetention(count: given.count, bytes: given.bytes, age: given.days * 86_400)
      #expect(bounds.firstKept(of: Self.plans, now: Self.now) == given.first, "\(given)")
    }
    #expect(PlanRetention().firstKept(of: [], now: Self.now) == 0)
  }
}
