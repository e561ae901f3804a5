import Foundation
import ParvaControlTestSupport
import ParvaTestSupport
import Testing

@testable import ParvaControl

@Suite struct EventLogTests {
  @Test("a follower gets every event once and in order, or is told that some are gone", arguments: 0..<8)
  func eventsAreNumbered(_ offset: UInt64) async {
    let seed = TestSeed.of(offset: offset)
    var random = SeededGenerator(seed: seed)
    let capacity = Int.random(in: 1...200, using: &random)
    let log = EventLog(start: Samples.time, capacity: capacity)
    let first = log.newest
    var all: [String] = []
    // Of three followers, how much of all each has.
    var have = [0, 0, 0]
    for _ in 0..<600 {
      if Int.random(in: 0..<3, using: &random) > 0 {
        for _ in 0..<Int.random(in: 1...40, using: &random) {
          log.add("node", "\(all.count)")
          all.append("\(all.count)")
        }
      }
      let who = Int.random(in: 0..<have.count, using: &random)
      let batch = await log.next(after: first + have[who], within: .zero)
      let oldest = max(0, all.count - capacity)
      #expect(batch.hasGap == (have[who] < oldest), "seed \(seed)")
      let begin = max(have[who], oldest)
      let expected = all[begin..<min(all.count, begin + EventLog.batch)]
      #expect(batch.events.map(\.data) == Array(expected), "seed \(seed)")
      #expect(batch.last == first + begin + expected.count, "seed \(seed)")
      have[who] = begin + expected.count
    }
  }

  @Test("events that come together are those that come one after another", arguments: 0..<4)
  func manyAtOnceAreAsOneByOne(_ offset: UInt64) async {
    let seed = TestSeed.of(offset: offset)
    var random = SeededGenerator(seed: seed)
    let capacity = Int.random(in: 1...20, using: &random)
    let (one, many) = (
      EventLog(start: Samples.time, capacity: capacity), EventLog(start: Samples.time, capacity: capacity)
    )
    var seen = one.newest
    for round in 0..<60 {
      let texts = (0..<Int.random(in: 0...50, using: &random)).map { "\(round).\($0)" }
      for text in texts { one.add("node", text) }
      let known = texts.suffix(Int.random(in: min(texts.count, capacity)...texts.count, using: &random))
      many.add("node", all: known, after: texts.count - known.count)
      #expect(one.newest == many.newest, "seed \(seed)")
      let after = Int.random(in: seen...one.newest, using: &random)
      let batch = await one.next(after: after, within: .zero)
      #expect(batch == (await many.next(after: after, within: .zero)), "seed \(seed)")
      if Bool.random(using: &random) { seen = batch.last }
    }
  }

  @Test func anotherProcessIsAGap() async {
    let before = EventLog(start: Samples.time)
    before.add("node", "old")
    let log = EventLog(start: Samples.time + 1)
    log.add("node", "new")
    let batch = await log.next(after: before.newest, within: .zero)
    #expect(batch.hasGap && batch.events.map(\.data) == ["new"])
    let ahead = await log.next(after: log.newest + 7, within: .zero)
    #expect(ahead.hasGap && ahead.last == log.newest)
  }

  @Test func whoWaitsIsAnsweredByTheNextEventAndByTheEnd() async {
    let log = EventLog(start: Samples.time)
    let seen = log.newest
    async let next = log.next(after: seen, within: .seconds(60))
    log.add("workload", "{}")
    #expect(await next.events.map(\.kind) == ["workload"])
    let last = log.newest
    async let none = log.next(after: last, within: .seconds(60))
    log.close()
    #expect(await none.events.isEmpty)
  }
}
