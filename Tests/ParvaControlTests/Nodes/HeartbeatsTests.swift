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

  @Test func oneHeartbeatDoesNotBringALostNodeBackButTwoInTimeDo() {
    var beats = Heartbeats(isUnreachable: true, now: Self.start)
    beats.heard(at: Self.at(100), interval: Self.interval)
    #expect(beats.isUnreachable)
    // The second comes too late to count as one of two.
    beats.heard(at: Self.at(150), interval: Self.interval)
    #expect(beats.isUnreachable)
    beats.heard(at: Self.at(160), interval: Self.interval)
    #expect(!beats.isUnreachable)
  }

  @Test func aNodeThatIsLostAgainNeedsTwoAgain() {
    var beats = Heartbeats(isUnreachable: true, now: Self.start)
    beats.heard(at: Self.at(1), interval: Self.interval)
    beats.check(at: Self.at(40), interval: Self.interval)
    beats.heard(at: Self.at(41), interval: Self.interval)
    #expect(beats.isUnreachable)
  }
}
