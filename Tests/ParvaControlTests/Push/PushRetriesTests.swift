import Testing

@testable import ParvaControl

@Suite struct PushRetriesTests {
  private static let start = ContinuousClock.now

  /// Seconds at which a node that always fails is pushed to, where each attempt ends within a second.
  @Test("F6: a node that goes on failing is pushed to again by pauses that double up to the longest")
  func pausesDouble() {
    var retries = PushRetries(first: .seconds(2), longest: .seconds(16))
    var pushed: [Int] = []
    for second in 0..<100 {
      let now = Self.start + .seconds(second)
      if retries.due(["n"], busy: [], revision: 1, at: now, drawn: { $0 }) == ["n"] { pushed.append(second) }
    }
    // One second passes until the end of an attempt is seen.
    #expect(pushed == [0, 3, 8, 17, 34, 51, 68, 85])
  }

  @Test func whatIsNewToANodeIsPushedAtOnce() {
    var retries = PushRetries(first: .seconds(2), longest: .seconds(16))
    #expect(retries.due(["a"], busy: [], revision: 1, at: Self.start, drawn: { $0 }) == ["a"])
    #expect(retries.due(["a", "b"], busy: [], revision: 1, at: Self.start, drawn: { $0 }) == ["b"])
    #expect(retries.due(["a"], busy: ["b"], revision: 2, at: Self.start, drawn: { $0 }) == ["a"])
  }

  @Test func aNodeThatGotWhatItIsToHaveBeginsAnew() {
    var retries = PushRetries(first: .seconds(2), longest: .seconds(16))
    #expect(retries.due(["a"], busy: [], revision: 1, at: Self.start) == ["a"])
    #expect(retries.due([], busy: [], revision: 1, at: Self.start).isEmpty)
    #expect(retries.due(["a"], busy: [], revision: 1, at: Self.start) == ["a"])
  }
}
