import Foundation
import ParvaControlTestSupport
import ParvaFormats
import ParvaTestSupport
import ParvaWire
import Testing

@testable import ParvaControl

/// What has happened to workloads, and how much of it is kept.
@Suite struct WorkloadHistoryTests {
  private static let types = ["Planned", "Running", "CapacityUp"]

  private static func registration(_ id: String, rate: Double = 100, revision: Int = 1) -> Registration {
    Registration(
      Samples.workload(id, rate: rate), revision: revision, createdAt: Samples.time,
      updatedAt: Samples.time + Double(revision - 1))
  }

  @Test("each change stands there as it was told then, and what was told before stays as it is")
  func changesStayAsTheyWereTold() {
    let history = WorkloadHistory()
    var status = WorkloadStatus.pending
    (status.planRevision, status.capacityPlanned) = (4, 120)
    let planned = Condition("Planned", .isTrue, "planned", "revision 4 gives it 120 requests/s")
    let unknown = Condition("Running", .unknown, "no_nodes", "no node is registered")
    history.note([planned, unknown], status, of: Self.registration("vision:a"), own: 2, at: Samples.time + 10)
    (status.planRevision, status.capacityPlanned) = (9, 150)
    let later = Condition("Planned", .isTrue, "planned", "revision 9 gives it 150 requests/s")
    history.note([later, unknown], status, of: Self.registration("vision:a"), own: 3, at: Samples.time + 20)
    // Another plan that gives it the same is nothing that has happened to it.
    status.planRevision = 11
    let same = Condition("Planned", .isTrue, "planned", "revision 11 gives it 150 requests/s")
    history.note([same, unknown], status, of: Self.registration("vision:a"), own: 3, at: Samples.time + 30)
    let changed = Self.registration("vision:a", rate: 130, revision: 31)
    let told = history.entries(of: "vision:a", changed).map { "\($0.type) \($0.reason) \($0.message(own: false))" }
    #expect(
      told == [
        "Registered created 100 requests/s of resnet50 within 200 ms",
        "Planned planned revision 4 gives it 120 requests/s", "Planned planned revision 9 gives it 150 requests/s",
        "Registered changed 130 requests/s of resnet50 within 200 ms",
      ])
    let own = history.entries(of: "vision:a", changed).map { $0.message(own: true) }
    #expect(own[1...2] == ["revision 2 gives it 120 requests/s", "revision 3 gives it 150 requests/s"])
    #expect(
      history.entries(of: "vision:a", changed).map(\.time)
        == [0, 10, 20, 30].map { Samples.time + Double($0) })
    #expect(history.entries(of: "a", nil).isEmpty)
  }

  @Test("random lives: as many entries as said, the newest of each type among them, no news twice", arguments: 0..<20)
  func randomLives(offset: Int) {
    let seed = TestSeed.of(offset: UInt64(offset))
    var random = SeededGenerator(seed: seed)
    let history = WorkloadHistory()
    let ids = (0..<6).map { $0 < 3 ? "w\($0)" : "vision:w\($0)" }
    var (revisions, last): ([String: Int], [String: [String: String]]) = ([:], [:])
    var revision = 0
    for step in 0..<400 {
      let id = ids.randomElement(using: &random) ?? ""
      let date = Samples.time + Double(step)
      if Int.random(in: 0..<8, using: &random) == 0 {
        history.end(id, at: date)
        revisions[id] = nil
        if last[id] != nil { last[id]?["Registered"] = "False deleted" }
        continue
      }
      if revisions[id] == nil || Int.random(in: 0..<4, using: &random) == 0 {
        revision += 1
        revisions[id] = revision
        last[id, default: [:]]["Registered"] = "True"
      }
      var conditions: [Condition] = []
      for type in Self.types {
        let status = Condition.Status.allCases.randomElement(using: &random) ?? .unknown
        conditions.append(Condition(type, status, "\(type) is \(status)", "at \(step)"))
        if status == .unknown, last[id]?[type] == nil { continue }
        last[id, default: [:]][type] = "\(status.rawValue) \(type) is \(status)"
      }
      let registration = Registration(
        Samples.workload(id), revision: revisions[id] ?? 0, createdAt: Samples.time, updatedAt: date)
      history.note(conditions, .pending, of: registration, own: nil, at: date)
    }
    for id in ids {
      let entries = history.entries(of: id, nil)
      #expect(entries.count <= WorkloadHistory.most, "seed \(seed)")
      #expect(entries.map(\.time) == entries.map(\.time).sorted(), "seed \(seed)")
      for (type, told) in last[id] ?? [:] {
        let newest = entries.last { $0.type == type }.map { "\($0.status.rawValue) \($0.reason)" }
        #expect(newest?.hasPrefix(told) == true, "seed \(seed): \(id) \(type)")
      }
      for type in Self.types {
        let own = entries.filter { $0.type == type }
        for (one, next) in zip(own, own.dropFirst()) {
          #expect((one.status, one.reason) != (next.status, next.reason) || entries.count == WorkloadHistory.most)
        }
      }
    }
  }

  @Test("of workloads that are gone the newest are told of, and none of a namespace that is gone with them")
  func goneAreBounded() {
    let history = WorkloadHistory()
    for number in 0..<(WorkloadHistory.mostGone + 10) {
      for id in ["w\(number)", "vision:w\(number)"] {
        history.note([], .pending, of: Self.registration(id), own: nil, at: Samples.time)
        history.end(id, at: Samples.time + 1)
        history.end(id, at: Samples.time + 2)
      }
    }
    #expect((0..<10).allSatisfy { history.entries(of: "w\($0)", nil).isEmpty })
    #expect((10..<266).allSatisfy { history.entries(of: "w\($0)", nil).map(\.reason) == ["created", "deleted"] })
    // Who is back is gone no more, and others go before it.
    history.note([], .pending, of: Self.registration("w10", revision: 2), own: nil, at: Samples.time + 3)
    history.note([], .pending, of: Self.registration("x"), own: nil, at: Samples.time + 3)
    history.end("x", at: Samples.time + 4)
    #expect(history.entries(of: "w10", nil).count == 3 && !history.entries(of: "w11", nil).isEmpty)
    history.keep { $0 != "vision" }
    #expect(history.entries(of: "vision:w200", nil).isEmpty && !history.entries(of: "w200", nil).isEmpty)
    #expect(!history.entries(of: "w10", nil).isEmpty)
  }
}
