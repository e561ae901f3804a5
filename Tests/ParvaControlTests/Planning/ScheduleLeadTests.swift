import Foundation
import ParvaTestSupport
import ParvaWire
import Testing

@testable import ParvaControl

/// How long plans are ahead of schedules, learnt from roll-outs.
@Suite struct ScheduleLeadTests {
  private static func operation(
    _ seconds: Double, _ status: FleetOperationDocument.Status = .verified, changes: Bool = true, resumed: Int = 0
  ) -> FleetOperationDocument {
    let start = Date(timeIntervalSince1970: 1_800_000_000)
    var node = FleetOperationDocument.Node(name: "n", instances: 1)
    node.unchanged = changes ? nil : true
    var operation = FleetOperationDocument(
      id: "op", planRevision: 1, createdAt: Timestamp.text(start),
      rollout: .init(maxUnavailable: 0, onFailure: .stop, previousRevision: nil, phases: 1), nodes: [node])
    operation.status = status
    operation.resumed = resumed
    operation.updatedAt = Timestamp.text(start + seconds)
    return operation
  }

  @Test("it is as long as the longest of the newest roll-outs, and a little longer", arguments: 0..<6)
  func learns(_ round: Int) {
    let seed = TestSeed.of(offset: UInt64(round))
    var random = SeededGenerator(seed: seed)
    let lead = ScheduleLead(nil)
    #expect(lead.seconds == ScheduleLead.usual && !lead.isLearnt)
    var seen: [Double] = []
    for step in 0..<80 {
      let seconds = Double(Int.random(in: 0...[40, 400, 9_000].randomElement(using: &random)!, using: &random))
      let kind = Int.random(in: 0..<6, using: &random)
      let before = lead.seconds
      let isOther =
        switch kind {
        case 0:
          lead.note(
            Self.operation(seconds, [.failed, .aborted, .rolledBack, .superseded].randomElement(using: &random)!))
        case 1: lead.note(Self.operation(seconds, changes: false))
        case 2: lead.note(Self.operation(seconds, resumed: 1))
        default: lead.note(Self.operation(seconds))
        }
      if kind > 2 { seen.append(seconds) }
      #expect(isOther == (lead.seconds != before), "seed \(seed), step \(step)")
      guard let longest = seen.suffix(ScheduleLead.remembered).max() else { continue }
      #expect(lead.isLearnt && ScheduleLead.range.contains(lead.seconds), "seed \(seed), step \(step)")
      #expect(
        lead.seconds >= min(longest * 1.1, 3_600) && lead.seconds <= max(30, longest * 1.1 + 10),
        "seed \(seed), step \(step)")
    }
  }

  @Test("what was said stays, whatever roll-outs take")
  func said() {
    let lead = ScheduleLead(45)
    #expect(!lead.note(Self.operation(2_000)) && lead.seconds == 45 && !lead.isLearnt)
  }
}
