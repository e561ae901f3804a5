import Foundation
import ParvaControlTestSupport
import ParvaEngine
import ParvaFormats
import ParvaTestSupport
import Testing

@testable import ParvaControl

/// What a leader says of its planning, at those who follow.
@Suite struct PlanningWordTests {
  private static func plan(_ revision: Int, _ demand: Int) -> PublishedPlan {
    let plan = Plan(
      planner: "p", admission: "half-slo", status: .feasible, gpus: [], unplaced: [],
      summary: PlanSummary(
        gpuCount: 0, allocatedSlices: 0, externalFragmentation: 0, internalSlack: 0, profileSource: .measured))
    return PublishedPlan(
      record: PlanRecord(
        revision: revision, demandRevision: demand, createdAt: Samples.time, planner: "p", status: "feasible",
        gpuCount: 0, unplacedCount: 0), plan: plan, json: PlanWriter.json(plan), origin: .stored)
  }

  /// Plans and words come by different ways, each in its order, one before the other or after it.
  @Test("whatever comes first, a follower shows in the end what its leader does", arguments: 0..<100 as Range<UInt64>)
  func bothWays(_ number: UInt64) throws {
    let seed = TestSeed.of(offset: number)
    var random = SeededGenerator(seed: seed)
    let (leader, follower) = (PlanBoard(), PlanBoard())
    var (revision, demand) = (0, 0)
    var coming: [PublishedPlan] = []
    var heard: PlanningWord?
    // All that the leader has ever said.
    var words: Set<PlanningWord> = []
    // A word that was said, and is on its way.
    var said: PlanningWord??
    func trouble(_ isThere: Bool) -> PlanningTrouble? {
      isThere
        ? PlanningTrouble(code: "c\(demand)", message: "m", demandRevision: demand, resort: nil, attempts: 1) : nil
    }
    func comes() {
      follower.publish(coming.removeFirst(), isCurrent: true)
      _ = follower.hear(heard)
    }
    func arrives(_ word: PlanningWord?) {
      heard = word
      _ = follower.hear(heard)
    }
    for _ in 0..<60 {
      switch Int.random(in: 0..<6, using: &random) {
      case 0:
        demand += Int.random(in: 0...1, using: &random)
        revision += revision == 0 ? 1 : Int.random(in: 0...1, using: &random)
        let plan = Self.plan(revision, demand)
        leader.publish(plan, trouble: trouble(Bool.random(using: &random)))
        coming.append(plan)
      case 1:
        demand += Int.random(in: 0...1, using: &random)
        leader.fail(at: demand, "no luck", trouble: trouble(Bool.random(using: &random)))
      case 2: if !coming.isEmpty { comes() }
      case 3: said = .some(leader.view.word)
      case 4:
        if let word = said { arrives(word) }
        said = nil
      default: arrives(leader.view.word)
      }
      if let word = leader.view.word { words.insert(word) }
      let view = follower.view
      #expect(view.attempted <= demand && view.attempted >= view.plan?.record.demandRevision ?? -1, "seed \(seed)")
      #expect(view.word.map(words.contains) ?? true, "seed \(seed)")
    }
    while !coming.isEmpty { comes() }
    if let word = said { arrives(word) }
    arrives(leader.view.word)
    #expect(follower.view.word == leader.view.word, "seed \(seed)")
    #expect(follower.view.attempted == leader.view.attempted, "seed \(seed)")
    #expect(follower.view.plan?.record == leader.view.plan?.record, "seed \(seed)")
  }

  @Test("a word of another version says what this one knows")
  func wordsOfOthers() throws {
    let word = PlanningWord(revision: 3, attempted: 7, offers: .max, failure: "no luck", trouble: nil)
    let bytes = try JSONEncoder().encode(word)
    #expect(try JSONDecoder().decode(PlanningWord.self, from: bytes) == word)
    let later = #"{"revision":3,"attempted":7,"failure":"no luck","offers":18446744073709551615,"more":[1]}"#
    #expect(try JSONDecoder().decode(PlanningWord.self, from: Data(later.utf8)) == word)
  }
}
