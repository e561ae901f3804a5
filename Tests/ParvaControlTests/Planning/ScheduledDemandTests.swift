import Foundation
import ParvaControlTestSupport
import ParvaEngine
import ParvaFormats
import ParvaTestSupport
import Testing

@testable import ParvaControl

@Suite struct ScheduledDemandTests {
  private static let zones = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]

  private static func workload(_ id: String, _ random: inout SeededGenerator) -> Workload {
    var workload = Samples.workload(id, rate: Double.random(in: 1...500, using: &random))
    workload.schedule = (0..<Int.random(in: 0...3, using: &random)).map { _ in
      ScheduledRate(
        times: WeeklyTimes(
          days: [0, 1, 2, 3, 4, 5, Int.random(in: 0..<7, using: &random)],
          from: Int.random(in: 0...1_439, using: &random), to: Int.random(in: 1...1_440, using: &random)),
        zone: zones.randomElement(using: &random) ?? "UTC", rate: Double.random(in: 1...500, using: &random))
    }
    return workload
  }

  @Test(
    "each is planned for at its highest rate within the lead, and nothing changes before it is said to",
    arguments: 0..<12)
  func highestWithinTheLead(_ round: Int) throws {
    let seed = TestSeed.of(offset: UInt64(round))
    var random = SeededGenerator(seed: seed)
    let workloads = (0..<6).map { Self.workload("w\($0)", &random) }
    let demand = Demand(revision: 7, registrations: RegistrationTable(workloads.map { Samples.registration($0) }))
    // Near a day on which clocks are put forward or back in Europe.
    let start = [1_774_659_600, 1_792_803_600][round % 2] + 60 * Int.random(in: 0...2_880, using: &random)
    let lead = 60 * Int.random(in: 0...120, using: &random)
    let date = Date(timeIntervalSince1970: TimeInterval(start))
    let settled = ScheduledDemand(demand, at: date, lead: Double(lead))
    #expect(settled.demand.registrations.rows.allSatisfy { $0.workload.schedule.isEmpty && $0.revision == 1 })
    func rates(at time: Int) -> [String: Double] {
      Dictionary(
        uniqueKeysWithValues: workloads.map { workload in
          let seen = stride(from: time, through: time + lead, by: 60).map { workload.curve.rate(at: $0) }
          return (workload.id, seen.max() ?? 0)
        })
    }
    for row in settled.demand.registrations.rows {
      #expect(row.workload.rate == rates(at: start)[row.id], "seed \(seed): \(row.id)")
    }
    let scheduled = workloads.filter { !$0.schedule.isEmpty }
    #expect(Set(settled.rates.keys) == Set(scheduled.map(\.id)))
    guard let next = settled.next else {
      #expect(scheduled.isEmpty, "seed \(seed)")
      return
    }
    #expect(next > date)
    let quiet = stride(from: start + 60, to: min(next.wholeSeconds, start + 7_200), by: 60)
    for time in quiet { #expect(rates(at: time) == rates(at: start), "seed \(seed) at \(time)") }
    // Seconds within a minute change nothing.
    #expect(ScheduledDemand(demand, at: date + 31.4, lead: Double(lead)).rates.count == settled.rates.count)
  }

  @Test(
    "what is taken over from before is as if it were worked out anew, and only what is due or new is", arguments: 0..<6)
  func takenOver(_ round: Int) throws {
    let seed = TestSeed.of(offset: UInt64(round))
    var random = SeededGenerator(seed: seed)
    var table = RegistrationTable((0..<12).map { Samples.registration(Self.workload("w\($0)", &random)) })
    var (time, lead) = (1_792_803_600, 300.0)
    var before: ScheduledDemand?
    for step in 0..<60 {
      time += [1, 60, 1_800, 20_000, -3_600].randomElement(using: &random) ?? 0
      if step % 20 == 19 { lead = [30, 300, 4_000].randomElement(using: &random) ?? 0 }
      let changed = "w\(Int.random(in: 0..<12, using: &random))"
      if step % 3 == 0 { table.apply([changed: Samples.registration(Self.workload(changed, &random))]) }
      let demand = Demand(revision: step, registrations: table)
      let date = Date(timeIntervalSince1970: TimeInterval(time))
      let (anew, carried) = (
        ScheduledDemand(demand, at: date, lead: lead), ScheduledDemand(demand, at: date, lead: lead, after: before)
      )
      #expect(carried.rates == anew.rates, "seed \(seed), step \(step)")
      #expect(carried.demand.registrations.rows == anew.demand.registrations.rows, "seed \(seed), step \(step)")
      // An older look may know of an edge at which nothing turned out to change.
      #expect(
        carried.next ?? .distantFuture <= anew.next ?? .distantFuture && carried.next ?? date + 1 > date,
        "seed \(seed), step \(step)")
      let again = ScheduledDemand(demand, at: date, lead: lead, after: carried)
      for (row, same) in zip(carried.demand.registrations.rows, again.demand.registrations.rows) {
        #expect(row === same, "seed \(seed), step \(step)")
      }
      before = carried
    }
  }

  @Test("a registration's rate is that of its schedule at any time, asked in any order", arguments: 0..<4)
  func knownSpans(_ round: Int) {
    let seed = TestSeed.of(offset: UInt64(round))
    var random = SeededGenerator(seed: seed)
    let row = Samples.registration(Self.workload("w", &random))
    for _ in 0..<300 {
      let time = 1_792_803_600 + Int.random(in: -200_000...200_000, using: &random)
      let (rate, until) = row.rate(at: time)
      #expect(rate == row.workload.curve.rate(at: time), "seed \(seed) at \(time)")
      #expect(until ?? .max > time && (until == nil) == row.workload.schedule.isEmpty, "seed \(seed) at \(time)")
    }
  }

  @Test("a table knows which of its rows have schedules, whatever is put, replaced and taken away", arguments: 0..<4)
  func tableKnowsSchedules(_ round: Int) {
    let seed = TestSeed.of(offset: UInt64(round))
    var random = SeededGenerator(seed: seed)
    var table = RegistrationTable((0..<3).map { Samples.registration(Self.workload("w\($0)", &random)) })
    for _ in 0..<50 {
      let id = "w\(Int.random(in: 0..<8, using: &random))"
      let isGone = Int.random(in: 0..<3, using: &random) == 0
      let row = Samples.registration(Self.workload(id, &random))
      table.apply([id: isGone ? Registration?.none : row])
      let found = Set(table.rows.filter { !$0.workload.schedule.isEmpty }.map(\.id))
      #expect(table.scheduled == found, "seed \(seed)")
    }
  }

  @Test("a quota counts the highest rate of a schedule")
  func quotaCountsTheHighest() throws {
    let record = NamespaceRecord(
      name: "default", quota: NamespaceQuota(rate: 100), revision: 1, contents: 1, createdAt: Samples.time,
      updatedAt: Samples.time)
    var workload = Samples.workload("a", rate: 10)
    workload.schedule = [
      ScheduledRate(times: WeeklyTimes(days: [0], from: 0, to: 60), zone: "UTC", rate: 90)
    ]
    var transaction = DemandTransaction(
      base: Demand(revision: 1, namespaces: [record]), claims: [], limit: 10, now: Samples.time)
    _ = try transaction.perform(DemandChange(.create([workload])))
    #expect(throws: ChangeRefusal.self) {
      try transaction.perform(DemandChange(.create([Samples.workload("b", rate: 11)])))
    }
    _ = try transaction.perform(DemandChange(.create([Samples.workload("b", rate: 10)])))
  }
}
