import ParvaTestSupport
import Synchronization
import Testing

@testable import ParvaEngine

/// What it costs to follow a schedule: counted, not timed.
@Suite struct RateScheduleTests {
  /// Is put forward by an hour, and back, every 180 days, and counts how often it is asked.
  private struct CountingClock: WallClock {
    final class Count: Sendable { let value = Mutex(0) }

    let count = Count()

    func period(at time: Int) -> ClockPeriod {
      count.value.withLock { $0 += 1 }
      let (span, index) = (180 * 86_400, time / (180 * 86_400))
      let offset = index % 2 * 3_600
      return ClockPeriod(
        since: index * span, until: (index + 1) * span, offset: offset, peak: index * span - 1 + 3_600 - offset)
    }
  }

  /// 32 entries, each with times of its own.
  private static func workload(_ cron: (Int) -> String) throws -> Workload {
    var workload = Workload(id: "w", model: "m", rate: 1, sloLatencyMs: 1)
    workload.schedule = try (0..<32).map {
      ScheduledRate(.from(try CronTimes(cron($0))), zone: "Z/Z", rate: Double($0 + 2))
    }
    return workload
  }

  /// What a look of the clock is asked for, for one time of an entry: its last and its next.
  private static let perEdge = 6

  @Test("what comes once in 28 years costs as little as what comes every day")
  func rareEntries() throws {
    let now = 1_800_000_000
    for (text, edges) in [("29 2 */7", 0), ("29 2 *", 0), ("31 1 */7", 0), ("* * *", 32)] {
      let clock = CountingClock()
      let curve = RateSchedule(try Self.workload { "\($0) 3 \(text)" }) { _ in clock }
      let outlook = curve.outlook(from: now, for: 86_399)
      #expect(clock.count.value.withLock { $0 } <= (32 + edges) * Self.perEdge, "\(text)")
      #expect(outlook.next ?? 0 > now)
    }
  }

  @Test("the next rate is looked for over so many edges and no more, however many entries come at once")
  func manyEdges() throws {
    let clock = CountingClock()
    var workload = try Self.workload { _ in "*/5 * * * *" }
    for index in workload.schedule.indices { workload.schedule[index].rate = 7 }
    let curve = RateSchedule(workload) { _ in clock }
    #expect(curve.nextChange(after: 1_800_000_000) == nil)
    #expect(clock.count.value.withLock { $0 } <= (RateSchedule<CountingClock>.mostEdges + 64) * Self.perEdge)
  }

  @Test("a span holds until its end, and walking from edge to edge meets the rate of each moment")
  func walks() throws {
    let seed = TestSeed.of()
    var random = SeededGenerator(seed: seed)
    let clock = CountingClock()
    for _ in 0..<40 {
      let hours = (0..<32).map { _ in Int.random(in: 0..<24, using: &random) }
      let days = (0..<32).map { _ in Int.random(in: 0..<7, using: &random) }
      let curve = RateSchedule(try Self.workload { "\($0) \(hours[$0]) * * \(days[$0])" }) { _ in clock }
      let start = 1_800_000_000 + Int.random(in: 0..<400 * 86_400, using: &random)
      var walk = RateWalk(curve, at: start)
      for _ in 0..<60 {
        guard let edge = walk.next else { break }
        let (rate, until) = curve.span(at: edge - 1)
        #expect(rate == walk.rate && until == edge, "seed \(seed) at \(edge)")
        walk.advance()
        #expect(curve.rate(at: edge) == walk.rate, "seed \(seed) at \(edge)")
      }
    }
  }
}
