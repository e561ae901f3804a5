import Foundation
import GRDB
import Logging
import ParvaHTTP
import ParvaServing
import Synchronization

/// A store that several controllers share, in etcd: a log of batches, and snapshots of what they made. Each replica has a copy
/// of all of it in a SQLite file that is thrown away.
///
/// Who leads has created the leader key with a lease. Every entry of the log is appended by a transaction that demands this
/// very key and that there is no entry under its number yet, so that a leader that was replaced appends nothing.
final class EtcdStore: ReplicatedStore, ReadingStore {
  struct State {
    var address: String?
    var standing = ReplicaStanding.follower(of: nil)
    var followers = StreamTable<ReplicaStanding>()
    var news = EtcdNews()
    var freshAt: ContinuousClock.Instant?
    var trouble: StoreError?
    /// Why nobody can be elected who would be.
    var electionTrouble: StoreError?
    /// Until when nobody else can lead.
    var leadsUntil: ContinuousClock.Instant?
    /// The last term in which this replica led, and until when nobody else can have.
    var led: (term: Int, until: ContinuousClock.Instant)?
    /// Since when nobody leads; nil while somebody does.
    var leaderlessSince: ContinuousClock.Instant? = .now
    /// Of what the last word on who leads is as old as.
    var leaderRevision = 0
    /// The newest revision that etcd has told of.
    var revision = 0
    /// The entry that came last.
    var last: (position: Int, nonce: UInt64)?
    /// From where on changes are listened to: what was before is in the copy.
    var watchFrom: Int?
    /// The stream of changes while it is open, whether etcd has begun it, and since when it has owed something: its beginning, or
    /// what the log has had.
    var watching: Task<Void, Never>?
    var isListening = false
    var watchLate: ContinuousClock.Instant?
    /// When somebody wanted to know last how old the copy is.
    var askedAt: ContinuousClock.Instant?
    /// Term of whoever leads, as etcd has said last; nil where nobody did.
    var seenTerm: Int?
    /// Whether this replica has been elected.
    var isCampaigning = false
    /// From then on until the key is given back.
    var holdsKey = false
    var isResigning = false
    var hasWithdrawn = false
    /// What a term has come to before it begins: nil while what was committed before it is read.
    var prepared: Result<Void, StoreError>?
    /// The newest schema that any leader has written by, and when this replica wrote it last.
    var schema = 0
    var schemaWritten: ContinuousClock.Instant?
    /// Why etcd takes nothing, as one of its members has said last.
    var alarm: StoreError?
    /// Who takes part, as etcd has said last, and the lease of this replica's own record.
    var members: [SeenReplica] = []
    var memberLease: String?
    /// Of the newest snapshot, as far as known.
    var snapshotAt: Int?
    var snapshotBytes = 0
    /// Of the entries that came into the copy after it.
    var logBytes = 0
    /// When another may be tried.
    var nextSnapshot: ContinuousClock.Instant?
    var nextCompaction: ContinuousClock.Instant?
    /// How many entries are asked for at a time: fewer where an answer did not come in time.
    var pageLimit = 64
    var isSnapshotting = false
    var isClosed = false

    /// Why nothing can be added to the copy that was not compared.
    var corruption: StoreError? { trouble?.code == .corrupt ? trouble : nil }

    /// Told in the order in which it is set, as nobody else has the lock.
    mutating func tell(_ standing: ReplicaStanding) {
      guard self.standing != standing else { return }
      self.standing = standing
      followers.yield(standing)
    }
  }

  let settings: Settings
  let keys: EtcdKeys
  let client: EtcdClient
  let state = Mutex(State())
  let board = WaitingBoard(0)
  private let folder: EtcdCopyFolder
  /// Large snapshots take a core for a while; Swift's own threads stay free for requests.
  let packing = WorkQueue("parva.store.snapshots", yields: true)
  /// So do large batches.
  let coding = WorkQueue("parva.store.batches")
  /// Keeping a lease waits for no request and no batch.
  let leasing = QueueExecutor("parva.store.lease")
  private let copyBox: Mutex<SQLiteStore>
  /// Commits to the copy and whole readings take turns.
  private let turns = RequestLimit(1)
  let bell = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
  private let tasks = Mutex<[Task<Void, Never>]>([])
  let appends: EtcdAppends
  let logger: Logger?

  /// Returns once the copy holds what was committed before, or the task is cancelled.
  ///
  /// - Parameters:
  ///   - patience: how long etcd is waited for; nil is as long as that takes.
  ///   - isReading: else the copy stays empty: what is there may be damaged.
  init(
    _ settings: Settings, logger: Logger? = nil, patience: Duration? = nil, isReading: Bool = true
  ) async throws(StoreError) {
    self.logger = logger
    self.settings = settings
    keys = EtcdKeys(prefix: settings.prefix)
    var client = settings.client
    // Well below the lease: a member that hangs must be left for another before the lease is over.
    client.patience = min(.seconds(1), max(.milliseconds(250), settings.lease / 4))
    self.client = EtcdClient(client)
    appends = EtcdAppends()
    let folder = try EtcdCopyFolder(in: settings.place)
    self.folder = folder
    do throws(StoreError) {
      copyBox = Mutex(try Self.fresh(in: folder.url))
    } catch {
      folder.remove()
      throw error
    }
    guard isReading else { return }
    do throws(StoreError) {
      try await readAll(until: patience.map { .now + $0 })
    } catch {
      // Nobody closes what was never open.
      self.client.shutdown()
      try? await copy.close()
      folder.remove()
      throw error
    }
    let follow = Task { [weak self] in
      while let self, !self.state.withLock(\.isClosed) { await self.follow() }
    }
    let watch = Task { [weak self] in
      while let self, !self.state.withLock(\.isClosed) { await self.watchOnce() }
    }
    tasks.withLock { $0 += [follow, watch] }
  }

  private func readAll(until end: ContinuousClock.Instant?) async throws(StoreError) {
    var told: ContinuousClock.Instant?
    let begun = ContinuousClock.now
    while true {
      do {
        if try await catchUp() { return }
      } catch {
        if error.code != .unavailable || Task.isCancelled || end.map({ .now >= $0 }) ?? false { throw error }
        // Who starts everything at once is not told what the first second was like.
        if .now - begun > .seconds(1), told.map({ .now - $0 > .seconds(10) }) ?? true {
          logger?.warning(
            "waiting for the store", metadata: ["code": "\(error.code.rawValue)", "error": "\(error)"])
          told = .now
        }
        try? await Task.sleep(for: .milliseconds(200))
      }
    }
  }

  var source: any Store { copy }
  var copy: SQLiteStore { copyBox.withLock(\.self) }

  private static func fresh(in folder: URL, from snapshot: Data? = nil) throws(StoreError) -> SQLiteStore {
    let path = folder.appending(path: "\(UUID().uuidString).sqlite").path
    do {
      if let snapshot { try snapshot.write(to: URL(filePath: path)) }
    } catch {
      throw StoreError(
        .cannotOpen, "The copy of the store in \(folder.path) cannot be made: \(error.localizedDescription)")
    }
    let store = try SQLiteStore(path: path)
    do {
      // It never outlives this process: what lasts is in etcd.
      try store.pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = OFF") }
    } catch {
      throw StoreError(translating: error)
    }
    return store
  }

  func taking<Value: Sendable>(
    _ work: @Sendable () async throws(StoreError) -> Value
  ) async throws(StoreError) -> Value { try await turns.run(work) }

  // MARK: - Coming in

  /// Writes a batch that is the next to the copy.
  ///
  /// - Parameters:
  ///   - bytes: that it takes in etcd.
  ///   - plainBytes: that it takes unpacked.
  ///   - isCompared: whether the entry before it in etcd is the one that the copy ends with, as far as that can be seen.
  /// - Throws: `store_corrupt` where that is not known, and etcd was found to hold something else.
  func take(
    _ batch: StoreBatch, position: Int, nonce: UInt64, bytes: Int, plainBytes: Int, isCompared: Bool = false
  ) async throws(StoreError) {
    try await taking { () throws(StoreError) in
      guard position == self.position + 1 else { return }
      if !isCompared, let trouble = state.withLock(\.corruption) { throw trouble }
      try await copy.commit(batch)
      state.withLock { state in
        state.news.add(batch, position: position, nonce: nonce, bytes: bytes, plainBytes: plainBytes)
        state.last = (position, nonce)
        state.logBytes += bytes
      }
      board.change { $0 = position }
    }
  }

  /// Puts a snapshot in place of the copy.
  ///
  /// - Parameter bytes: that it takes in etcd.
  func replace(by snapshot: Data, position: Int, bytes: Int) async throws(StoreError) {
    let store = try Self.fresh(in: folder.url, from: snapshot)
    try await taking { () throws(StoreError) in
      // Two readings may have fetched it; the copy never goes back.
      guard position > self.position else {
        try? await store.close()
        folder.remove(store.pool.path)
        return
      }
      let old = copyBox.withLock { copy in
        defer { copy = store }
        return copy
      }
      try? await old.close()
      folder.remove(old.pool.path)
      let ended = state.withLock { state in
        (state.news, state.last) = (EtcdNews(after: position), nil)
        (state.snapshotAt, state.snapshotBytes, state.logBytes) = (position, bytes, 0)
        // All that the copy holds is from etcd.
        let ended = state.corruption
        if ended != nil { state.trouble = nil }
        return ended
      }
      tellEnd(of: ended)
      board.change { $0 = position }
    }
  }

  func tell(_ standing: ReplicaStanding) { state.withLock { $0.tell(standing) } }

  // MARK: - As a replicated store

  func campaign(as member: ReplicaMember) async {
    state.withLock { $0.address = member.address }
    let joining = Task { [weak self] in
      while let self, !self.state.withLock(\.isClosed) { await self.joinOnce(as: member) }
    }
    let lead = Task(executorPreference: leasing) { [weak self] in
      while let self, !self.state.withLock(\.isClosed) { await self.campaignOnce() }
    }
    tasks.withLock { $0 += [joining, lead] }
  }

  var standing: ReplicaStanding { state.withLock(\.standing) }

  func standings() -> AsyncStream<ReplicaStanding> {
    let (stream, continuation) = AsyncStream.makeStream(of: ReplicaStanding.self)
    let id = state.withLock { state in
      continuation.yield(state.standing)
      return state.followers.add(continuation)
    }
    continuation.onTermination = { [weak self] _ in Task.detached { self?.state.withLock { $0.followers.remove(id) } } }
    return stream
  }

  func writer(term: Int) -> any Store { EtcdWriter(store: self, term: term) }

  func news(after position: Int) -> AsyncStream<ReplicaNews> {
    // Nothing waits in the stream: who is slow holds nothing but its place.
    let place = Mutex<Int?>(position)
    return AsyncStream(unfolding: { [weak self] in
      while let self, let from = place.withLock(\.self), !Task.isCancelled, !self.state.withLock(\.isClosed) {
        if let next = self.state.withLock({ $0.news.next(after: from) }) {
          place.withLock { place in
            if case .batch(_, let position) = next { place = position } else { place = nil }
          }
          return next
        }
        _ = await self.board.wait(for: .seconds(60)) { ($0 > from, $0 > from) }
      }
      return nil
    })
  }

  var position: Int { board.read { $0 } }
  var freshAt: ContinuousClock.Instant? {
    state.withLock { state in
      state.askedAt = .now
      return state.freshAt
    }
  }

  func wait(for position: Int, until end: ContinuousClock.Instant) async -> Bool {
    if self.position >= position { return true }
    bell.continuation.yield()
    return await board.wait(for: ContinuousClock.now.duration(to: end)) { ($0 >= position, $0 >= position) }
  }

  func isSurelyLeader(in term: Int) -> Bool {
    state.withLock { $0.standing == .leader(term: term) && $0.leadsUntil.map { ContinuousClock.now < $0 } ?? false }
      && !appends.isLost(term)
  }

  func sureUntil(in term: Int) -> ContinuousClock.Instant? {
    state.withLock { $0.led?.term == term ? $0.led?.until : nil }
  }

  func settle() async -> Bool {
    guard case .leader(let term) = standing else { return false }
    return await appends.settle { self.isSurelyLeader(in: term) }
  }

  var trouble: StoreError? {
    state.withLock { state in
      if let trouble = state.trouble ?? state.alarm { return trouble }
      guard let since = state.leaderlessSince else { return nil }
      if let trouble = state.electionTrouble ?? outdated(state.schema) { return trouble }
      // Another should have been elected by now.
      guard since.duration(to: .now) > settings.lease + .seconds(2) else { return nil }
      return StoreError(.notLeader, "No replica has led for \(since.duration(to: .now).components.seconds) s.")
    }
  }

  func load() async throws(StoreError) -> StoreContents { try await load { _ in nil } }

  func load(
    knowing known: @escaping @Sendable (_ position: Int) -> KnownContents?
  ) async throws(StoreError) -> StoreContents {
    try await taking { () throws(StoreError) in
      var contents = try await copy.load(knowing: known(position))
      contents.position = position
      return contents
    }
  }

  func close() async throws(StoreError) {
    await resign()
    let (followers, watching) = state.withLock { state in
      state.isClosed = true
      return (state.followers.removeAll(), state.watching)
    }
    watching?.cancel()
    board.close()
    bell.continuation.finish()
    for task in tasks.withLock(\.self) { task.cancel() }
    await leave()
    client.shutdown()
    for task in tasks.withLock(\.self) { await task.value }
    for follower in followers { follower.finish() }
    try await copy.close()
    folder.remove()
  }

  func commit(_ batch: StoreBatch) async throws(StoreError) {
    throw StoreError(.notLeader, "Only a leader commits.")
  }

  func probe() async throws(StoreError) { if let trouble = state.withLock(\.trouble) { throw trouble } }
  var sizeBytes: Int? { copy.sizeBytes }

}
