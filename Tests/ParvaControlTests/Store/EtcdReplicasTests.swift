import Foundation
import Logging
import ParvaControlTestSupport
import ParvaHTTP
import Synchronization
import Testing

@testable import ParvaControl

/// Several replicas in one process, over a member of etcd.
@Suite(.enabled(if: EtcdMember.shared != nil, "etcd is not installed")) struct EtcdReplicasTests {
  private struct Outcomes {
    var acknowledged: [String] = []
    var unknown: Set<String> = []
  }

  private final class Told: Sendable {
    let outcomes = Mutex(Outcomes())
  }

  private static func open(_ prefix: String, _ logger: Logger? = nil) async throws -> EtcdStore {
    let member = try #require(EtcdMember.shared)
    var access = StoreAccess()
    access.lease = .seconds(2)
    let opened = try await Stores.openReplicated("etcd://\(member.endpoint)/\(prefix)", access, logger: logger)
    return try #require(opened as? EtcdStore)
  }

  private static func leading(_ store: EtcdStore) async throws -> any Store {
    await store.campaign(as: "http://127.0.0.1:1")
    for await standing in store.standings() {
      if case .leader(let term) = standing { return store.writer(term: term) }
    }
    throw Missing("a leader")
  }

  private static func until(_ what: String, _ isSo: () -> Bool) async throws {
    let end = ContinuousClock.now + .seconds(30)
    while !isSo() {
      guard .now < end else { throw Missing(what) }
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  private static func batch(_ name: String) -> StoreBatch {
    var batch = StoreBatch()
    batch.audit = [
      AuditEntry(
        time: Samples.time, who: "token:t", name: "ci", method: "PUT", path: "/v1/a", resource: "a", requestID: name,
        status: 200, isChange: true)
    ]
    return batch
  }

  private static func rows(_ store: any Store) async throws -> [String] {
    try await store.audit(AuditFilter(), .after(0), limit: 10_000).map(\.requestID)
  }

  /// Has a batch stored by whoever leads; what was refused for certain is tried again.
  private static func commit(
    _ name: String, _ stores: [any ReplicatedStore], _ told: Told
  ) async throws {
    let end = ContinuousClock.now + .seconds(60)
    while ContinuousClock.now < end {
      for store in stores {
        guard case .leader(let term) = store.standing else { continue }
        do throws(StoreError) {
          try await store.writer(term: term).commit(batch(name))
          let count = told.outcomes.withLock { outcomes in
            outcomes.acknowledged.append(name)
            return outcomes.acknowledged.count
          }
          if count % 60 == 0 { await store.resign() }
          return
        } catch {
          if error.code == .outcomeUnknown {
            told.outcomes.withLock { _ = $0.unknown.insert(name) }
            return
          }
          #expect([.notLeader, .unavailable].contains(error.code), "\(error)")
        }
      }
      try await Task.sleep(for: .milliseconds(5))
    }
    throw Missing("nobody stores \(name)")
  }

  @Test("whoever leads when, what was acknowledged is in every copy, once and in one order")
  func changesOfLeaders() async throws {
    let prefix = "replicas-\(UUID().uuidString)"
    var stores: [EtcdStore] = []
    for index in 0..<3 {
      let store = try await Self.open(prefix)
      await store.campaign(as: "http://127.0.0.1:\(index + 1)")
      stores.append(store)
    }
    let told = Told()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for client in 0..<8 {
        group.addTask { [stores] in
          for index in 0..<30 { try await Self.commit("\(client)-\(index)", stores, told) }
        }
      }
      try await group.waitForAll()
    }
    // One that begins late reads the same.
    stores.append(try await Self.open(prefix))
    let last = stores.map(\.position).max() ?? 0
    for store in stores { #expect(await store.wait(for: last, until: .now + .seconds(20))) }
    let order = try await Self.rows(stores[0])
    for store in stores.dropFirst() { #expect(try await Self.rows(store) == order) }
    let (acknowledged, unknown) = told.outcomes.withLock { ($0.acknowledged, $0.unknown) }
    #expect(Set(order).count == order.count, "something is stored twice")
    #expect(Set(acknowledged).isSubset(of: order) && Set(order).isSubset(of: unknown.union(acknowledged)))
    for client in 0..<8 {
      let own = order.filter { $0.hasPrefix("\(client)-") }.compactMap { Int($0.split(separator: "-")[1]) }
      #expect(own == own.sorted(), "client \(client)'s commits changed places")
    }
    for store in stores { try await store.close() }
  }

  @Test("commits go on while a snapshot is made, and one that begins late reads snapshot and log as one")
  func snapshots() async throws {
    let prefix = "snapshots-\(UUID().uuidString)"
    let log = LogRecorder()
    let leader = try await Self.open(prefix, Logger(label: "test", factory: { _ in log }))
    let follower = try await Self.open(prefix)
    let writer = try await Self.leading(leader)
    // More than a snapshot is due after, in groups.
    try await withThrowingTaskGroup(of: Void.self) { group in
      for client in 0..<70 {
        group.addTask { for index in 0..<32 { try await writer.commit(Self.batch("\(client)-\(index)")) } }
      }
      try await group.waitForAll()
    }
    func made() -> [LogRecorder.Line] { log.lines.filter { $0.message == "a snapshot of the store is made" } }
    try await Self.until("a snapshot") { !made().isEmpty }
    let line = try #require(made().first)
    let at = try #require(line.metadata["commits"].flatMap { Int($0) })
    #expect(at >= 2000 && at <= 2240 && Int(line.metadata["bytes"] ?? "") ?? 0 > 1000)
    let late = try await Self.open(prefix)
    let wanted = try await Self.rows(leader)
    #expect(wanted.count == 2240)
    for store in [follower, late] {
      #expect(await store.wait(for: leader.position, until: .now + .seconds(20)))
      #expect(try await Self.rows(store) == wanted)
      try await Self.until("what the snapshot says") { store.state.withLock { $0.snapshotAt ?? 0 } == at }
      // Another need not be made where this one takes over.
      #expect(store.state.withLock(\.logBytes) == leader.state.withLock(\.logBytes))
    }
    for store in [late, follower, leader] { try await store.close() }
  }

  @Test("a snapshot is of the moment at which it was begun, whatever is committed meanwhile")
  func momentsStay() async throws {
    let folder = try TemporaryFolder()
    let store = try SQLiteStore(path: folder.file("one.sqlite"))
    for index in 0..<50 { try await store.commit(Self.batch("a\(index)")) }
    let moment = try store.moment()
    for index in 0..<50 { try await store.commit(Self.batch("b\(index)")) }
    try moment.file().write(to: URL(filePath: folder.file("two.sqlite")))
    let copy = try SQLiteStore(path: folder.file("two.sqlite"))
    #expect(try await Self.rows(copy) == (0..<50).map { "a\($0)" })
    #expect(try await Self.rows(store).count == 100)
    try await copy.close()
    try await store.close()
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).allSatisfy { !$0.contains("snapshot") })
  }

  @Test func whoListensNoMoreIsForgotten() async throws {
    let store = try await Self.open("listeners-\(UUID().uuidString)")
    var listening: [Task<Void, Never>] = []
    for _ in 0..<50 {
      listening.append(Task { for await _ in store.news(after: 0) {} })
      listening.append(Task { for await _ in store.standings() {} })
    }
    try await Self.until("listeners") { store.state.withLock { $0.readers.count + $0.followers.count } == 100 }
    for task in listening { task.cancel() }
    try await Self.until("that nobody listens") { store.state.withLock { $0.readers.count + $0.followers.count } == 0 }
    try await store.close()
  }

  @Test("a replica stops at what a newer version has written, says so, and does not lead without it")
  func whatIsNewerStopsAReplica() async throws {
    let store = try await Self.open("newer-\(UUID().uuidString)")
    let document: [String: Any] = ["version": 1, "tenures": ["a"]]
    let plain = try PropertyListSerialization.data(fromPropertyList: document, format: .binary, options: 0)
    let entry = EtcdEntry(nonce: 1, bytes: try #require(Gzip.compress(plain)))
    _ = try await store.client.transaction(if: [], then: [EtcdClient.put(store.keys.entry(1), entry.value)])
    try await Self.until("trouble") { store.trouble?.code == .tooNew }
    await store.campaign(as: "http://127.0.0.1:1")
    try await Task.sleep(for: .milliseconds(300))
    #expect(store.standing == .follower(of: nil) && store.position == 0 && store.trouble?.code == .tooNew)
    try await store.close()
  }

  @Test("a replica does not go on with a log from which what it has read is gone")
  func aLogThatWentBackIsTold() async throws {
    let store = try await Self.open("back-\(UUID().uuidString)")
    let writer = try await Self.leading(store)
    try await writer.commit(Self.batch("a"))
    await store.resign()
    _ = try await store.client.transaction(
      if: [], then: [EtcdClient.delete(store.keys.entry(0), to: store.keys.afterEntries)])
    try await Self.until("trouble") { store.trouble?.code == .corrupt }
    #expect(store.trouble?.message.contains("start them again") == true)
    try await store.close()
  }

  @Test("a log that is damaged is replaced by a copy; a leader that came and went in between is not overwritten")
  func restoring() async throws {
    let prefix = "restore-\(UUID().uuidString)"
    let member = try #require(EtcdMember.shared)
    let (place, folder) = ("//\(member.endpoint)/\(prefix)", try TemporaryFolder())
    let file = folder.file("copy")
    let store = try await Self.open(prefix)
    let writer = try await Self.leading(store)
    for name in ["a", "b", "c"] { try await writer.commit(Self.batch(name)) }
    _ = try await EtcdBackup.write(place, StoreAccess(), to: file)
    try await writer.commit(Self.batch("late"))
    _ = try await store.client.transaction(
      if: [],
      then: [EtcdClient.put(store.keys.entry(4), Data([1, 2, 3])), EtcdClient.put(store.keys.snapshot, Data([9]))])
    try await store.close()
    await #expect(throws: StoreError.self) { try await Self.open(prefix) }
    let refusal = await #expect(throws: StoreError.self) {
      try await EtcdBackup.restore(file, place, StoreAccess(), replacing: false)
    }
    #expect(refusal?.code == .cannotOpen)
    _ = try await EtcdBackup.restore(file, place, StoreAccess(), replacing: true)
    let again = try await Self.open(prefix)
    #expect(try await Self.rows(again) == ["a", "b", "c"] && again.position == 5)
    // Seen before a leader came, tried after it has gone.
    let seen = try await again.newest(until: .now + .seconds(5))
    let second = try await Self.leading(again)
    try await second.commit(Self.batch("d"))
    await again.resign()
    let race = await #expect(throws: StoreError.self) {
      try await again.publish(
        Data([1]), position: seen.position + 1, in: 0, keptFrom: seen.position + 2, if: seen.unchanged)
    }
    #expect(race?.code == .notLeader)
    try await again.close()
  }

  @Test func placesOfOneStoreAreReadAlike() throws {
    let places = ["//h:1/parva", "//h:1/parva/", "//h:1//parva", "//h:1", "//h:1/"]
    for place in places { #expect(try EtcdStore.Settings(place, StoreAccess()).prefix == "parva") }
    let refusal = #expect(throws: StoreError.self) { try EtcdStore.Settings("//me:word@h:1/parva", StoreAccess()) }
    #expect(refusal?.code == .cannotOpen && refusal?.message.contains("word") == false)
  }
}

/// Where everything has to be there, nothing is skipped.
@Suite struct EtcdPresenceTests {
  @Test(.enabled(if: ProcessInfo.processInfo.environment["PARVA_CI"] == "1"))
  func etcdIsInstalled() { #expect(EtcdMember.shared != nil) }
}
