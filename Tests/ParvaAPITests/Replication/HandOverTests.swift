import Foundation
import Logging
import ParvaAPI
import ParvaControl
import ParvaControlTestSupport
import ParvaFormats
import ParvaHTTP
import ParvaTestSupport
import Testing

/// What a follower hands over to the controller that leads in its place, against what its copy holds.
@Suite struct HandOverTests {
  /// Two replicas of a store, of which the first leads.
  struct Kind: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let open: @Sendable () async throws -> (leader: any ReplicatedStore, follower: any ReplicatedStore)
  }

  private static let inMemory = Kind(testDescription: "a log in memory") {
    let (first, second) = try await FollowerTests.pair()
    return (first, second)
  }

  /// What comes through it was written and read.
  private static var etcd: [Kind] {
    guard let member = EtcdMember.shared else { return [] }
    return [
      Kind(testDescription: "etcd") {
        let place = "etcd://\(member.endpoint)/hand-over-\(UUID().uuidString)"
        var access = StoreAccess()
        access.lease = .seconds(2)
        let first = try #require(try await Stores.openReplicated(place, access, logger: nil))
        await first.campaign(as: "http://127.0.0.1:1")
        for await case .leader in first.standings() { break }
        return (first, try #require(try await Stores.openReplicated(place, access, logger: nil)))
      }
    ]
  }

  /// What a leader writes by, without a controller, and one on the second copy, which follows nothing yet.
  private struct Beside {
    let first, second: SharedLog.Replica
    let writer: any Store
    let follower: Controller
    let followed: Follower

    init() async throws {
      (first, second) = try await FollowerTests.pair()
      guard case .leader(let term) = first.standing else { throw Missing("a leader") }
      writer = first.writer(term: term)
      follower = try await FollowerTests.following(second)
      followed = try #require(follower.follower)
    }

    func end() async throws {
      try await follower.stop()
      for store in [second, first] { try await store.close() }
    }
  }

  @Test("what is handed over is what a reading of the copy gives, field by field", arguments: [inMemory] + etcd)
  func handedOverIsWhatIsStored(_ kind: Kind) async throws {
    for number in 0..<2 as Range<UInt64> {
      let seed = TestSeed.of(offset: number)
      var random = SeededGenerator(seed: seed)
      let (first, second) = try await kind.open()
      let leader = try await FollowerTests.leading(first)
      leader.start()
      let follower = try await FollowerTests.following(second)
      follower.follow {}
      let followed = try #require(follower.follower)
      let router = FollowerTests.router(leader)
      var seen: [String: [String]] = [:]
      for step in 0..<48 {
        try await FollowerTests.change(&random, router, &seen)
        guard step % 12 == 11 else { continue }
        // While plans are made and nodes' words are stored it may be behind or not; then it has all.
        for _ in 0..<2 {
          let (handed, read) = (try await followed.handOver(), try await second.load())
          if handed.contents.position == read.position {
            let (mine, wanted) = (FieldTexts.of(handed.contents), FieldTexts.of(read))
            #expect(mine.count == wanted.count && mine.count >= 13)
            for (name, value) in wanted { #expect(mine[name] == value, "seed \(seed), step \(step): \(name)") }
            // What came since it was asked for has the copy read.
            if handed.isKnown { #expect(handed.plan?.record == read.plan?.record) }
          }
          _ = await leader.board.wait(for: .seconds(60)) { view in
            view.pin != nil || view.attempted >= leader.registry.revision || view.failure != nil
          }
          try await leader.nodes.flush()
          #expect(await followed.wait(for: first.position, within: .seconds(60)))
        }
      }
      leader.halt()
      try await leader.stop()
      #expect(await second.wait(for: first.position, until: .now + .seconds(60)))
      let (handed, read) = (try await followed.handOver(), try await second.load())
      #expect(handed.isKnown && FieldTexts.of(handed.contents) == FieldTexts.of(read), "seed \(seed): at the end")
      try await follower.stop()
      for store in [second, first] { try await store.close() }
    }
  }

  @Test("a follower whose memory is behind its copy has the copy read, and nothing is missed")
  func behindItsCopy() async throws {
    let beside = try await Beside()
    let followed = beside.followed
    #expect(try await followed.handOver(within: .zero).isKnown)
    var batch = StoreBatch()
    batch.demandRevision = 1
    batch.registrations["a"] = Samples.registration(Samples.workload("a"))
    try await beside.writer.commit(batch)
    #expect(await beside.second.wait(for: 1, until: .now + .seconds(60)))
    let handed = try await followed.handOver(within: .zero)
    #expect(!handed.isKnown && handed.plan == nil && handed.contents.position == 1)
    #expect(handed.contents.demand.registrations["a"] != nil)
    // It is waited for where it is only late.
    async let late = followed.handOver(within: .seconds(60))
    beside.follower.follow {}
    let known = try await late
    #expect(known.isKnown && known.contents.position == 1 && known.contents.demand.revision == 1)
    try await beside.end()
  }

  @Test("what is committed while it is handed over is in both parts or in none")
  func committedMeanwhile() async throws {
    let beside = try await Beside()
    beside.follower.follow {}
    let writing = Task { [writer = beside.writer] in
      for index in 1...300 {
        var batch = StoreBatch()
        batch.demandRevision = index
        batch.registrations["w\(index)"] = Samples.registration(Samples.workload("w\(index)"), revision: index)
        // One part is read from the copy, the other comes from memory.
        batch.windows["w\(index)"] = RolloutWindow(
          name: "w\(index)", kind: .freeze, times: .once(10..<20), sparesLostCapacity: false, reason: "")
        try await writer.commit(batch)
      }
    }
    var known = 0
    var position = 0
    while position < 300 {
      let handed = try await beside.followed.handOver(within: .milliseconds(5))
      position = handed.contents.position
      known += handed.isKnown ? 1 : 0
      #expect(handed.contents.demand.revision == position && handed.contents.windows.count == position)
      #expect(handed.contents.demand.registrations.count == position)
    }
    try await writing.value
    #expect(known > 0)
    try await beside.end()
  }
}
