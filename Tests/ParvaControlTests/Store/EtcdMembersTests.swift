import Foundation
import Logging
import ParvaControlTestSupport
import Synchronization
import Testing

@testable import ParvaControl

/// Replicas of several versions, what they tell each other, and one that has much to read before it leads.
@Suite(.enabled(if: EtcdMember.shared != nil, "etcd is not installed")) struct EtcdMembersTests {
  private static func open(
    _ prefix: String, schema: Int = EtcdStore.schema, isReading: Bool = true, _ logger: Logger? = nil
  ) async throws -> EtcdStore {
    let member = try #require(EtcdMember.shared)
    var access = StoreAccess()
    access.lease = .seconds(4)
    var settings = try EtcdStore.Settings("//\(member.endpoint)/\(prefix)", access)
    settings.schema = schema
    return try await EtcdStore(settings, logger: logger, isReading: isReading)
  }

  @Test("where a newer version has led, an older one follows, says why, and does not lead")
  func olderVersionsDoNotLead() async throws {
    let prefix = "schema-\(UUID().uuidString)"
    let log = LogRecorder()
    let logger = Logger(label: "test") { _ in log }
    let old = try await Self.open(prefix, logger)
    let new = try await Self.open(prefix, schema: EtcdStore.schema + 1)
    // It leads before there is a newer one, and after that no more.
    let first = try await EtcdReplicasTests.leading(old)
    try await first.commit(EtcdReplicasTests.batch("old"))
    #expect(old.hindrance == nil)
    await new.campaign(as: "http://127.0.0.1:2")
    let end = ContinuousClock.now + .seconds(30)
    while .now < end {
      if case .leader = new.standing { break }
      if case .leader = old.standing { await old.resign() }
      try await Task.sleep(for: .milliseconds(5))
    }
    guard case .leader(let term) = new.standing else { throw Missing("the newer one as leader") }
    try await new.writer(term: term).commit(EtcdReplicasTests.batch("new"))
    #expect(await old.wait(for: 2, until: .now + .seconds(10)))
    #expect(try await EtcdReplicasTests.rows(old) == ["old", "new"])
    try await EtcdReplicasTests.until("what hinders it") { old.hindrance?.code == .tooNew }
    #expect(old.trouble == nil, "it follows well")
    await new.resign()
    try await new.close()
    try await EtcdReplicasTests.until("trouble where nobody leads") { old.trouble?.code == .tooNew }
    #expect(old.standing == .follower(of: nil))
    #expect(log.lines.count { $0.message == "this replica does not lead any more" } == 1)
    // One that begins now reads all of it, and does not lead either; one of the newer version does.
    let again = try await Self.open(prefix)
    await again.campaign(as: "http://127.0.0.1:3")
    #expect(again.position == 2 && again.hindrance != nil)
    let newer = try await Self.open(prefix, schema: EtcdStore.schema + 2)
    _ = try await EtcdReplicasTests.leading(newer)
    for store in [old, again] { if case .leader = store.standing { Issue.record("an older one leads") } }
    for store in [old, again, newer] { try await store.close() }
  }

  @Test("a schema that is no number is told, and nobody leads by it")
  func aSchemaThatIsDamaged() async throws {
    let store = try await Self.open("schema-\(UUID().uuidString)")
    _ = try await store.client.transaction(if: [], then: [EtcdClient.put(store.keys.schema, Data("x".utf8))])
    try await EtcdReplicasTests.until("trouble") { store.trouble?.code == .corrupt }
    await store.campaign(as: "http://127.0.0.1:1")
    try await EtcdReplicasTests.until("its record") { store.members.count == 1 }
    #expect(store.standing == .follower(of: nil))
    try await store.close()
  }

  @Test(
    "the number of the schema that somebody deletes or takes back is written again",
    .timeLimit(.minutes(1)))
  func theSchemaStays() async throws {
    let log = LogRecorder()
    let store = try await Self.open("schema-\(UUID().uuidString)", Logger(label: "test") { _ in log })
    _ = try await EtcdReplicasTests.leading(store)
    func number() async throws -> String? {
      try await store.client.read([EtcdClient.range(store.keys.schema)]).rows[0].first?.value.map {
        String(decoding: $0, as: UTF8.self)
      }
    }
    func change(_ request: String) async throws { _ = try await store.client.transaction(if: [], then: [request]) }
    for request in [
      EtcdClient.delete(store.keys.schema, to: store.keys.schema + "0"),
      EtcdClient.put(store.keys.schema, Data("1".utf8)),
    ] {
      try await change(request)
      while try await number() != "\(EtcdStore.schema)" { try await Task.sleep(for: .milliseconds(10)) }
    }
    // That of a newer version is not this one's to change.
    let newer = "\(EtcdStore.schema + 1)"
    try await change(EtcdClient.put(store.keys.schema, Data(newer.utf8)))
    try await EtcdReplicasTests.until("that it is read") { store.hindrance != nil }
    await store.keepSchema(.now)
    #expect(try await number() == newer)
    #expect(log.lines.count { $0.message.hasPrefix("the number of the store's schema was taken back") } == 2)
    try await store.close()
  }

  @Test("a copy that an older version puts back lets it lead again")
  func restoringTakesTheSchemaBack() async throws {
    let prefix = "schema-\(UUID().uuidString)"
    let member = try #require(EtcdMember.shared)
    let folder = try TemporaryFolder()
    let new = try await Self.open(prefix, schema: EtcdStore.schema + 5)
    try await EtcdReplicasTests.leading(new).commit(EtcdReplicasTests.batch("a"))
    try await new.close()
    let (place, file) = ("//\(member.endpoint)/\(prefix)", folder.file("copy"))
    _ = try await EtcdBackup.write(place, StoreAccess(), to: file)
    _ = try await EtcdBackup.restore(file, place, StoreAccess(), replacing: true)
    let old = try await Self.open(prefix)
    #expect(old.hindrance == nil)
    try await EtcdReplicasTests.leading(old).commit(EtcdReplicasTests.batch("b"))
    #expect(try await EtcdReplicasTests.rows(old) == ["a", "b"])
    try await old.close()
  }

  @Test("replicas know each other while they run", .timeLimit(.minutes(1)))
  func membersKnowEachOther() async throws {
    let prefix = "members-\(UUID().uuidString)"
    let (a, b) = (try await Self.open(prefix), try await Self.open(prefix))
    let member = ReplicaMember(
      address: "http://a", host: "one", version: "1", options: ["dead-band": "5%", "other \"name\"": "\\ä"])
    await a.campaign(as: member)
    await b.campaign(as: ReplicaMember(address: "http://b"))
    // A record that is none of this version's is passed over.
    _ = try await a.client.transaction(
      if: [], then: [EtcdClient.put(a.keys.member("x"), Data("{}".utf8))])
    for store in [a, b] { try await EtcdReplicasTests.until("two members") { store.members.count == 2 } }
    // One of a version that tells more of itself than this one knows is known by what both tell.
    let newer =
      #"{"id":"n","address":"http://n","host":"h","version":"999.0","options":{"new":"1"},"zone":"z","tags":[1]}"#
    _ = try await a.client.transaction(if: [], then: [EtcdClient.put(a.keys.member("n"), Data(newer.utf8))])
    try await EtcdReplicasTests.until("a newer member") {
      b.members.contains { $0.member.id == "n" && $0.member.version == "999.0" && $0.member.options == ["new": "1"] }
    }
    // One that was deleted comes back.
    _ = try await a.client.transaction(if: [], then: [EtcdClient.delete(a.keys.members.from, to: a.keys.members.to)])
    let all = [EtcdClient.range(a.keys.members.from, to: a.keys.members.to)]
    while try await a.client.read(all).rows[0].kvs?.count != 2 { try await Task.sleep(for: .milliseconds(50)) }
    try await EtcdReplicasTests.until("the record again") { b.members.contains { $0.member == member } }
    try await b.close()
    try await EtcdReplicasTests.until("that one has gone") { a.members.map(\.member) == [member] }
    try await a.close()
  }

  @Test("who has much to read before it leads keeps its lease meanwhile, and nobody else leads")
  func aLongLogKeepsTheLease() async throws {
    let prefix = "long-\(UUID().uuidString)"
    let before = try await Self.open(prefix)
    let writer = try await EtcdReplicasTests.leading(before)
    for index in 0..<24 { try await writer.commit(EtcdReplicasTests.batch("\(index)")) }
    try await before.close()
    let late = try await Self.open(prefix, isReading: false)
    let other = try await Self.open(prefix)
    let begun = ContinuousClock.now
    // Everything that comes into its copy waits a while: 24 entries take nearly two leases.
    let slowing = Task {
      while !Task.isCancelled, late.position < 24 {
        try await late.taking { () throws(StoreError) in try? await Task.sleep(for: .milliseconds(300)) }
      }
    }
    late.state.withLock { $0.freshAt = .now }
    await late.campaign(as: "http://127.0.0.1:1")
    try await EtcdReplicasTests.until("its election") { late.state.withLock(\.holdsKey) }
    await other.campaign(as: "http://127.0.0.1:2")
    try await EtcdReplicasTests.until("that it leads") {
      if case .leader = other.standing { Issue.record("another leads") }
      return if case .leader = late.standing { true } else { false }
    }
    #expect(begun.duration(to: .now) > .seconds(5), "it was no test: everything was read at once")
    #expect(try await EtcdReplicasTests.rows(late).count == 24)
    slowing.cancel()
    for store in [late, other] { try await store.close() }
  }
}
