import Testing

@testable import ParvaControl

@Suite struct HeartbeatsTests {
  private static let start = ContinuousClock.now
  private static let interval = Duration.seconds(10)

  private static func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

  @Test func aNodeIsLostOnlyAfterThreeMissedHeartbeats() {
    var beats = Heartbeats(isUnreachable: false, now: Self.start)
    beats.check(at: Self.at(30), interval: Self.interval)
    #expect(!beats.isUnreachable)
    beats.check(at: Self.at(30.1), interval: Self.interval)
    #expect(beats.isUnreachable)
  }

  @Test(
    "a node has time to find a controller that was started, and is there with its first word", arguments: [0.5, 3, 10])
  func theFirstWord(interval: Double) {
    let (interval, patience) = (Duration.seconds(interval), max(10, 3 * interval))
    for late in [false, true] {
      var beats = Heartbeats(isUnreachable: false, now: Self.start)
      beats.check(at: Self.at(patience), interval: interval)
      #expect(!beats.isUnreachable)
      if late { beats.check(at: Self.at(patience + 0.1), interval: interval) }
      #expect(beats.isUnreachable == late)
      beats.heard(at: Self.at(patience + 1), interval: interval)
      #expect(!beats.isUnreachable)
      // From then on it is as every other.
      let missed = Self.at(patience + 1.1) + interval * 3
      beats.check(at: missed, interval: interval)
      #expect(beats.isUnreachable)
      beats.heard(at: missed, interval: interval)
      #expect(beats.isUnreachable)
    }
  }

  @Test("whom the controller before did not reach is there with its first word")
  func notReachedBefore() {
    var beats = Heartbeats(isUnreachable: true, now: Self.start)
    beats.check(at: Self.at(31), interval: Self.interval)
    #expect(beats.isUnreachable)
    beats.heard(at: Self.at(40), interval: Self.interval)
    #expect(!beats.isUnreachable)
  }

  @Test func oneHeartbeatDoesNotBringALostNodeBackButTwoInTimeDo() {
    var beats = Heartbeats(isUnreachable: true, isLost: true, now: Self.start)
    beats.heard(at: Self.at(100), interval: Self.interval)
    #expect(beats.isUnreachable)
    // The second comes too late to count as one of two.
    beats.heard(at: Self.at(150), interval: Self.interval)
    #expect(beats.isUnreachable)
    beats.heard(at: Self.at(160), interval: Self.interval)
    #expect(!beats.isUnreachable)
  }

  @Test func aNodeThatIsLostAgainNeedsTwoAgain() {
    var beats = Heartbeats(isUnreachable: true, isLost: true, now: Self.start)
    beats.heard(at: Self.at(1), interval: Self.interval)
    beats.check(at: Self.at(40), interval: Self.interval)
    beats.heard(at: Self.at(41), interval: Self.interval)
    #expect(beats.isUnreachable)
  }
}
