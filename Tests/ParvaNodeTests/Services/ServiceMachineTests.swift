import Testing

@testable import ParvaNode

/// The life of a service, played without a process and without a clock.
@Suite struct ServiceMachineTests {
  typealias Machine = ServiceMachine
  static let begin = ContinuousClock.now

  static func machine() -> Machine { Machine(timing: Machine.Timing(), now: begin) }

  /// Advances at `seconds` after the beginning.
  private func step(
    _ machine: inout Machine, _ seconds: Double, _ sight: Machine.Sight, probed: Bool = true, stopTimeout: Double = 30
  ) -> Machine.Action? {
    machine.advance(
      at: Self.begin + .seconds(seconds), sight, probed: probed, stopTimeout: .seconds(stopTimeout), exit: "ended")
  }

  /// A machine whose process has answered that it is well, at second 1.
  private func healthy() -> Machine {
    var machine = Self.machine()
    #expect(step(&machine, 0, .absent) == .start)
    machine.started(at: Self.begin)
    #expect(step(&machine, 1, .alive) == .probe)
    machine.probed(.healthy(inFlight: nil), at: Self.begin + .seconds(1))
    #expect(machine.status == "healthy")
    return machine
  }

  @Test func whatCannotBeAskedIsWellByBeingThere() {
    var machine = Self.machine()
    #expect(step(&machine, 0, .absent, probed: false) == .start)
    machine.started(at: Self.begin)
    #expect(machine.status == "starting")
    #expect(step(&machine, 0.1, .alive, probed: false) == nil)
    #expect(machine.status == "healthy")
  }

  @Test func pausesDoubleAndEndInAFailureThatIsStillTriedNowAndThen() {
    var machine = Self.machine()
    var now = 0.0
    var pauses: [Double] = []
    for _ in 0..<10 {
      #expect(step(&machine, now, .absent) == .start)
      machine.started(at: Self.begin + .seconds(now))
      #expect(step(&machine, now, .absent) == nil)
      guard case .waiting(let until) = machine.phase else {
        Issue.record("\(machine.phase)")
        return
      }
      pauses.append((until - Self.begin) / .seconds(1) - now)
      #expect(step(&machine, now + pauses[pauses.count - 1] - 0.001, .absent) == nil)
      now += pauses[pauses.count - 1]
    }
    #expect(pauses.map { ($0 * 1000).rounded() / 1000 } == [1, 2, 4, 8, 16, 32, 60, 600, 600, 600])
    #expect(machine.status == "failed")
    #expect(machine.restarts == 10)
    #expect(machine.message == "ended")
  }

  @Test func aMinuteOfHealthForgetsEarlierCrashes() {
    var machine = healthy()
    #expect(step(&machine, 2, .absent) == nil)
    #expect(machine.crashes == 1)
    #expect(step(&machine, 3, .absent) == .start)
    machine.started(at: Self.begin + .seconds(3))
    _ = step(&machine, 4, .alive)
    machine.probed(.healthy(inFlight: nil), at: Self.begin + .seconds(4))
    _ = step(&machine, 63, .alive)
    #expect(machine.crashes == 1)
    _ = step(&machine, 65, .alive)
    #expect(machine.crashes == 0)
    #expect(machine.restarts == 1)
  }

  @Test func whatAFirstProcessLeavesIsKilledBeforeTheNextStart() {
    var machine = healthy()
    #expect(step(&machine, 2, .strays) == .kill)
    #expect(step(&machine, 9, .strays) == .kill)
    #expect(step(&machine, 9, .absent) == .start)
  }

  @Test func aFewLostProbesAreForgivenAndManyEndInARestart() {
    var machine = healthy()
    let failed = Health.unhealthy("503", inFlight: nil)
    for second in 2...3 { machine.probed(failed, at: Self.begin + .seconds(second)) }
    #expect(machine.status == "healthy")
    machine.probed(failed, at: Self.begin + .seconds(4))
    #expect(machine.status == "unhealthy")
    #expect(machine.message == "503")
    machine.probed(.healthy(inFlight: 3), at: Self.begin + .seconds(5))
    #expect(machine.status == "healthy")
    for second in 6...8 { machine.probed(failed, at: Self.begin + .seconds(second)) }
    #expect(step(&machine, 69, .alive) == .terminate)
    #expect(step(&machine, 70, .absent) == nil)
    #expect(machine.status == "waiting")
    #expect(step(&machine, 72, .absent) == .start)
  }

  @Test func aServerThatNeverBecomesReadyIsStartedAnew() {
    var machine = Self.machine()
    #expect(step(&machine, 0, .absent) == .start)
    machine.started(at: Self.begin)
    #expect(step(&machine, 599, .alive) == .probe)
    #expect(step(&machine, 601, .alive) == .terminate)
    #expect(step(&machine, 632, .alive) == .kill)
    #expect(step(&machine, 633, .absent) == nil)
    #expect(machine.crashes == 1)
  }

  @Test func aStopAsksWaitsAndKillsAtTheDeadline() {
    var machine = healthy()
    machine.stop(at: Self.begin + .seconds(10), within: .seconds(30))
    #expect(step(&machine, 10, .alive) == .terminate)
    #expect(step(&machine, 11, .alive) == .probe)
    machine.probed(.healthy(inFlight: 4), at: Self.begin + .seconds(11))
    #expect(machine.message == "4 requests under way")
    #expect(step(&machine, 39.9, .alive) == .probe)
    #expect(step(&machine, 40, .alive) == .kill)
    #expect(!machine.isStuck(at: Self.begin + .seconds(41)))
    #expect(machine.isStuck(at: Self.begin + .seconds(51)))
    #expect(step(&machine, 51, .absent) == nil)
    #expect(machine.phase == .gone)
  }

  @Test func nothingUnderWayTwiceEndsTheWaiting() {
    var machine = healthy()
    machine.stop(at: Self.begin + .seconds(10), within: .seconds(3600))
    #expect(step(&machine, 10, .alive) == .terminate)
    for (second, inFlight) in [(11, 0), (12, 1), (13, 0)] {
      machine.probed(.unhealthy("503", inFlight: inFlight), at: Self.begin + .seconds(second))
      #expect(step(&machine, Double(second), .alive) != .kill)
    }
    machine.probed(.unhealthy("503", inFlight: 0), at: Self.begin + .seconds(14))
    #expect(step(&machine, 14, .alive) == .kill)
  }

  @Test func whatIsWantedAgainIsStartedOnceItIsGone() {
    var machine = healthy()
    machine.stop(at: Self.begin + .seconds(10), within: .seconds(30))
    #expect(step(&machine, 10, .alive) == .terminate)
    machine.revive(at: Self.begin + .seconds(11))
    #expect(step(&machine, 12, .absent) == nil)
    #expect(step(&machine, 12, .absent) == .start)
    #expect(machine.crashes == 0 && machine.restarts == 0)
  }
}
