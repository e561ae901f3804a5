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

  /// With a lease that a machine that stands still for a moment does not lose.
  static func open(_ prefix: String, _ logger: Logger? = nil) async throws -> EtcdStore {
    let member = try #require(EtcdMember.shared)
    var access = StoreAccess()
    access.lease = .seconds(10)
    let opened = try await Stores.openReplicated("etcd://\(member.endpoint)/\(prefix)", access, logger: logger)
    return try #require(opened as? EtcdStore)
  }

  static func leading(_ store: EtcdStore) async throws -> any Store {
    await store.campaign(as: "http://127.0.0.1:1")
    for await standing in store.standings() {
      if case .leader(let term) = standing { return store.writer(term: term) }
    }
    throw Missing("a leader")
  }

  static func until(_ what: String, _ isSo: () -> Bool) async throws {
    let end = ContinuousClock.now + .seconds(30)
    while !isSo() {
      guard .now < end else { throw Missing(what) }
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  static func batch(_ name: String) -> StoreBatch {
    var batch = StoreBatch()
    batch.audit = [
      AuditEntry(
        time: Samples.time, who: "token:t", name: "ci", method: "PUT", path: "/v1/a", resource: "a", requestID: name,
        status: 200, isChange: true)
    ]
    return batch
  }

  static func rows(_ store: any Store) async throws -> [String] {
    try await store.audit(AuditFilter(), .after(0), limit: 10_000).map(\.requestID)
  }

  /// Whoever stops listening is forgotten, also while the next word is on its way to it: neither waits for the other.
  @Test(.timeLimit(.minutes(2))) func listenersComeAndGoWhileLeadersChange() async throws {
    let store = try await Self.open("listeners")
    let isOver = Atomic(false)
    let telling = Thread {
      var term = 0
      while !isOver.load(ordering: .relaxed) {
        term += 1
        store.tell(.leader(term: term))
      }
    }
    telling.start()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<4 {
        group.addTask {
          for round in 0..<3000 {
            let listening = Task { for await _ in store.standings() {} }
            for _ in 0..<round % 4 { await Task.yield() }
            listening.cancel()
            await listening.value
          }
        }
      }
    }
    isOver.store(true, ordering: .relaxed)
    try await Self.until("nobody to listen") { store.state.withLock(\.followers.count) == 0 }
    try await store.close()
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
    try await Self.until("listeners") { store.state.withLock { $0.followers.count } == 50 }
    for task in listening { task.cancel() }
    try await Self.until("that nobody listens") { store.state.withLock { $0.followers.count } == 0 }
    for task in listening { await task.value }
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
    #expect(store.trouble?.message.contains("parva restore") == true)
    try await store.close()
  }

  @Test("entries that stand under each other's numbers, and a part that is gone, are told")
  func whatOthersChangedIsTold() async throws {
    let prefix = "swapped-\(UUID().uuidString)"
    let store = try await Self.open(prefix)
    let writer = try await Self.leading(store)
    for name in ["a", "b", "c"] { try await writer.commit(Self.batch(name)) }
    try await store.close()
    let reading = EtcdClient(store.settings.client)
    defer { reading.shutdown() }
    let values = try await reading.read((1...3).map { EtcdClient.range(store.keys.entry($0)) }).rows.map {
      $0.first?.value
    }
    let (b, c) = (try #require(values[1]), try #require(values[2]))
    for (place, value, code) in [
      (2, c, StoreError.Code.corrupt), (2, b, nil), (3, EtcdEntry(nonce: 7, parts: 2, position: 3).value, .corrupt),
      (3, c, nil),
    ] {
      _ = try await reading.transaction(if: [], then: [EtcdClient.put(store.keys.entry(place), value)])
      var told: StoreError.Code?
      do {
        let read = try await Self.open(prefix)
        #expect(read.position == 3)
        try await read.close()
      } catch let error as StoreError {
        told = error.code
      }
      #expect(told == code)
    }
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

  @Test("what others commit and who leads is heard of, through compactions and after a stream has ended")
  func listening() async throws {
    let prefix = "listening-\(UUID().uuidString)"
    let (leader, follower) = (try await Self.open(prefix), try await Self.open(prefix))
    func isListening() -> Bool { follower.state.withLock(\.isListening) }
    try await Self.until("a stream") { isListening() }
    let writer = try await Self.leading(leader)
    try await Self.until("the leader's name") { follower.standing != .follower(of: nil) }
    for round in 0..<6 {
      switch round {
      case 2: await leader.compact()
      case 4: follower.state.withLock { $0.watching }?.cancel()
      default: break
      }
      // Larger than an entry of one part, too.
      var batch = Self.batch("r\(round)")
      if round % 2 == 1 {
        let rest = (0..<700_000).map { _ in UInt8.random(in: 0...255) }
        batch.plan = Samples.plan(round, demand: 1, document: Data(rest).base64EncodedString())
      }
      try await writer.commit(batch)
      #expect(await follower.wait(for: leader.position, until: .now + .seconds(20)))
      try await Self.until("a stream") { isListening() }
    }
    #expect(try await Self.rows(follower) == (0..<6).map { "r\($0)" })
    // It hears that nobody leads any more.
    await leader.resign()
    try await Self.until("that another term begins or none") {
      follower.standing != .follower(of: .init(term: 0, address: ""))
    }
    for store in [follower, leader] { try await store.close() }
  }

  @Test("a leader whose key is gone leads no more, though its lease goes on")
  func aKeyThatIsTakenAway() async throws {
    let store = try await Self.open("key-\(UUID().uuidString)")
    let writer = try await Self.leading(store)
    try await writer.commit(Self.batch("a"))
    guard case .leader(let term) = store.standing else { throw Missing("a leader") }
    _ = try await store.client.transaction(
      if: [], then: [EtcdClient.delete(store.keys.leader, to: store.keys.leader + "0")])
    try await Self.until("that it is noticed") { !store.isSurelyLeader(in: term) }
    try await Self.until("an end of its term") { store.sureUntil(in: term).map { $0 <= .now } ?? true }
    try await Self.until("another term") {
      if case .leader(let next) = store.standing { return next > term }
      return false
    }
    await #expect(throws: StoreError.self) { try await writer.commit(Self.batch("b")) }
    try await store.close()
  }

  @Test("a leader's key without a lease is taken away, whoever led by it", arguments: [false, true])
  func aKeyWithoutALease(isLed: Bool) async throws {
    let first = try await Self.open("lease-\(UUID().uuidString)")
    var old = 0
    if isLed {
      _ = try await Self.leading(first)
      guard case .leader(let term) = first.standing else { throw Missing("a leader") }
      old = term
    }
    let strange = isLed ? Data("strange".utf8) : EtcdEntry(nonce: 1, bytes: Data("http://127.0.0.1:2".utf8)).value
    _ = try await first.client.transaction(if: [], then: [EtcdClient.put(first.keys.leader, strange)])
    if !isLed { await first.campaign(as: "http://127.0.0.1:1") }
    try await Self.until("a term of its own") {
      if case .leader(let term) = first.standing { return term > old && first.isSurelyLeader(in: term) }
      return false
    }
    guard case .leader(let term) = first.standing else { throw Missing("a leader") }
    try await first.writer(term: term).commit(Self.batch("a"))
    #expect(try await Self.rows(first) == ["a"])
    try await first.close()
  }

  @Test("after an interruption, a log that has another entry where this one was is told")
  func aLogThatIsAnother() async throws {
    let store = try await Self.open("other-\(UUID().uuidString)")
    let writer = try await Self.leading(store)
    try await writer.commit(Self.batch("a"))
    await store.resign()
    _ = try await store.client.transaction(
      if: [], then: [EtcdClient.put(store.keys.entry(1), EtcdEntry(nonce: 1, bytes: Data([1])).value)])
    try await Self.until("trouble") {
      store.state.withLock { $0.freshAt = .now - .seconds(5) }
      return store.trouble?.code == .corrupt
    }
    try await store.close()
  }

  @Test("a replica that has found another log takes nothing of it, from etcd or from others, until its own is back")
  func anotherLogIsNotGoneOnWith() async throws {
    let store = try await Self.open("fork-\(UUID().uuidString)")
    let writer = try await Self.leading(store)
    try await writer.commit(Self.batch("a"))
    await store.withdraw()
    let own = try await store.client.read([EtcdClient.range(store.keys.entry(1))]).rows[0].first?.value
    let others = try (1...3).map { place in
      try EtcdEntry(
        nonce: UInt64(place), position: place, bytes: BatchCodec.data(Self.batch("other \(place)"))
      ).value
    }
    func put(_ value: Data?, at place: Int) async throws {
      _ = try await store.client.transaction(
        if: [], then: [EtcdClient.put(store.keys.entry(place), try #require(value))])
    }
    try await put(others[0], at: 1)
    try await Self.until("trouble") {
      store.state.withLock { $0.freshAt = .now - .seconds(5) }
      return store.trouble?.code == .corrupt
    }
    // Somebody leads on from there.
    for place in 2...3 { try await put(others[place - 1], at: place) }
    for _ in 0..<5 {
      let refusal = await #expect(throws: StoreError.self) { try await store.catchUp() }
      #expect(refusal?.code == .corrupt)
    }
    let entry = try ReplicaEntry(Self.batch("other 2"), position: 2, nonce: 2)
    let refusal = await #expect(throws: StoreError.self) { try await store.take([entry]) }
    #expect(refusal?.code == .corrupt)
    // An outage in between does not make it forget, and it hears no stream.
    store.note(StoreError(.unavailable, "etcd is not reached"))
    try await Self.until("the stream's end") { store.state.withLock { $0.watching == nil && $0.watchFrom == nil } }
    #expect(store.trouble?.code == .corrupt && store.position == 1)
    #expect(try await store.entries(after: 0).isEmpty)
    #expect(try await Self.rows(store) == ["a"])
    // It goes on from the very entry that it has.
    try await put(own, at: 1)
    try await Self.until("the log") { store.position == 3 && store.trouble == nil }
    #expect(try await Self.rows(store) == ["a", "other 2", "other 3"])
    try await store.close()
  }

  @Test("one that withdraws while it is being elected leads no more, nor does one whose key is late to go")
  func withdrawing() async throws {
    let prefix = "withdrawn-\(UUID().uuidString)"
    let first = try await Self.open(prefix)
    _ = try await Self.leading(first)
    // What a withdrawal leaves that came before the key was there.
    first.state.withLock { $0.hasWithdrawn = true }
    try await Self.until("its end") { !first.state.withLock(\.holdsKey) }
    for _ in 0..<4 {
      let one = try await Self.open(prefix)
      await one.campaign(as: "http://127.0.0.1:2")
      try await Task.sleep(for: .milliseconds(Int.random(in: 0..<40)))
      await one.withdraw()
      try await Self.until("its end") { !one.state.withLock(\.holdsKey) }
      try await one.close()
    }
    let next = try await Self.open(prefix)
    _ = try await Self.leading(next)
    for store in [next, first] { try await store.close() }
  }

  @Test("what is under way is waited for as long as it takes and nobody else can lead")
  func settling() async {
    let appends = EtcdAppends()
    #expect(await appends.settle { false })
    appends.groupBegins()
    var asked = 0
    let isOver = await appends.settle(every: .milliseconds(1)) {
      asked += 1
      if asked == 20 { appends.groupEnds() }
      return true
    }
    #expect(isOver && asked >= 20)
    appends.groupBegins()
    #expect(await !appends.settle(every: .milliseconds(1)) { false })
    #expect(await !appends.settle(within: .milliseconds(5), every: .milliseconds(1)) { true })
    appends.groupEnds()
    #expect(await appends.settle { false })
  }

  @Test("a snapshot that comes late does not take the place of a newer one")
  func snapshotsThatComeLate() async throws {
    let store = try await Self.open("late-\(UUID().uuidString)")
    let writer = try await Self.leading(store)
    for name in ["a", "b"] { try await writer.commit(Self.batch(name)) }
    guard case .leader(let term) = store.standing else { throw Missing("a leader") }
    let before = try await store.newest(until: .now + .seconds(5))
    try await store.publish(Data([1]), position: 2, in: term, keptFrom: 1, if: [before.unmoved])
    let late = await #expect(throws: StoreError.self) {
      try await store.publish(Data([2]), position: 1, in: term, keptFrom: 1, if: [before.unmoved])
    }
    #expect(late?.code == .notLeader)
    #expect(try await store.newest(until: .now + .seconds(5)).snapshot == 2)
    try await store.close()
  }

  @Test("a term's last transaction takes nothing of the next term's")
  func termsHaveQueuesOfTheirOwn() async {
    let appends = EtcdAppends()
    func enter(_ term: Int) async -> (runs: Bool?, task: Task<Result<Void, StoreError>, Never>) {
      let (runs, report) = AsyncStream.makeStream(of: Bool?.self)
      let task = Task {
        await withCheckedContinuation { done in
          report.yield(appends.enter(EtcdAppends.Pending(batch: StoreBatch(), data: Data(), done: done), in: term))
        }
      }
      for await one in runs { return (one, task) }
      return (nil, task)
    }
    appends.begin(5)
    let first = await enter(5)
    #expect(first.runs == true)
    let under = appends.next(in: 5)
    #expect(under.count == 1)
    appends.end(5)
    appends.begin(9)
    let second = await enter(9)
    #expect(second.runs == true && appends.next(in: 5).isEmpty)
    let own = appends.next(in: 9)
    #expect(own.count == 1 && appends.next(in: 9).isEmpty)
    for one in under + own { one.done.resume(returning: .success(())) }
    _ = await (first.task.value, second.task.value)
  }

  @Test func placesOfOneStoreAreReadAlike() throws {
    let places = ["//h:1/parva", "//h:1/parva/", "//h:1//parva", "//h:1", "//h:1/"]
    for place in places { #expect(try EtcdStore.Settings(place, StoreAccess()).prefix == "parva") }
    for (place, isNear) in [
      ("//127.0.0.1:1", true), ("//127.0.0.1,[::1]:1", true), ("//127.0.0.1,10.0.0.2", false), ("//10.0.0.2", false),
    ] {
      #expect(try EtcdStore.Settings(place, StoreAccess()).isNear == isNear, "\(place)")
    }
    let two = try EtcdStore.Settings("//h,[::1]:1", StoreAccess())
    #expect(two.client.endpoints == ["http://h:2379", "http://[::1]:1"])
    for place in ["", "h:1/parva", "///parva", "//h:1,/parva", "//h:99999", "//h:x", "//h:", "//h:1?a=b", "//h:1/a b"] {
      let refusal = #expect(throws: StoreError.self) { try EtcdStore.Settings(place, StoreAccess()) }
      #expect(refusal?.code == .cannotOpen, "\(place)")
    }
    for address in ["etcds://h:1/parva", "redis://h", "http://h:1/parva"] {
      let refusal = #expect(throws: StoreError.self) { try Stores.open(address) }
      #expect(refusal?.code == .cannotOpen && refusal?.message.contains("etcd://") == true)
    }
    let refusal = #expect(throws: StoreError.self) { try EtcdStore.Settings("//me:word@h:1/parva", StoreAccess()) }
    #expect(refusal?.code == .cannotOpen && refusal?.message.contains("word") == false)
  }
}

/// Where everything has to be there, nothing is skipped.
@Suite struct EtcdPresenceTests {
  @Test(.enabled(if: ProcessInfo.processInfo.environment["PARVA_CI"] == "1"))
  func etcdIsInstalled() { #expect(EtcdMember.shared != nil) }
}
