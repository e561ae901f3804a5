import ParvaControlTestSupport
import ParvaTestSupport
import Testing

@testable import ParvaControl

@Suite struct PlanCauseTests {
  @Test(
    "what is gone is named once, and what has come back is not, whatever was registered and removed how often",
    arguments: 0..<8)
  func removedOnce(_ round: Int) {
    let seed = TestSeed.of(offset: UInt64(round))
    var random = SeededGenerator(seed: seed)
    var (there, log) = (Set<String>(), [String]())
    for _ in 0..<200 {
      let id = "w\(Int.random(in: 0..<12, using: &random))"
      if there.remove(id) != nil { log.append(id) } else { there.insert(id) }
    }
    let table = RegistrationTable(there.sorted().map { Samples.registration(Samples.workload($0)) })
    let cause = PlanCause(
      [.demand], of: Demand(revision: 400, registrations: table), removed: log, after: nil, by: [])
    let gone = Set(log).subtracting(there).sorted()
    #expect(cause.removed.count == gone.count && cause.removed.first == gone, "seed \(seed)")
    #expect(cause.changed.first == there.sorted(), "seed \(seed)")
  }
}
