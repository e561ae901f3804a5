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
  struct Settings: Sendable {
    var client: EtcdClient.Settings
    /// What all keys begin with.
    var prefix: String
    var lease = Duration.seconds(5)

    /// - Parameter place: `//host:port,host:port/prefix`; `https` is spoken where certificates are named.
    init(_ place: String, _ access: StoreAccess) throws(StoreError) {
      let parts = place.dropFirst(2).split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
      let isSecret = access.caFile != nil || access.certificateFile != nil
      let members = (parts.first ?? "").split(separator: ",", omittingEmptySubsequences: false)
      let hosts = members.compactMap { Self.url(of: $0, isSecret ? "https" : "http") }
      let path = (parts.count == 2 ? parts[1] : "").split(separator: "/").joined(separator: "/")
      prefix = path.isEmpty ? "parva" : path
      guard !place.contains("@") else {
        throw StoreError(
          .cannotOpen,
          "A place in etcd names no user: write etcd://HOST:PORT,HOST:PORT/PREFIX, and the user as --etcd-user.")
      }
      let isPlain = prefix.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_./".contains($0)) }
      guard place.hasPrefix("//"), hosts.count == members.count, isPlain else {
        throw StoreError(.cannotOpen, "etcd:\(place) is no place in etcd: write etcd://HOST:PORT,HOST:PORT/PREFIX.")
      }
      let isNear = hosts.allSatisfy { ["127.0.0.1", "localhost", "::1"].contains(URL(string: $0)?.host() ?? "") }
      guard isSecret || isNear || access.user == nil else {
        throw StoreError(
          .cannotOpen,
          "--etcd-user would send its password in the clear: name with --etcd-ca who signs the certificates of etcd.")
      }
      for (path, option) in [
        (access.caFile, "--etcd-ca"), (access.certificateFile, "--etcd-certificate"), (access.keyFile, "--etcd-key"),
      ] {
        guard let path, !FileManager.default.isReadableFile(atPath: path) else { continue }
        throw StoreError(.cannotOpen, "\(path), which \(option) names, cannot be read.")
      }
      client = EtcdClient.Settings(endpoints: hosts)
      client.tls.caFile = access.caFile
      client.tls.certificateFile = access.certificateFile
      client.tls.keyFile = access.keyFile
      (client.user, client.password, lease) = (access.user, access.password, access.lease)
    }

    /// Nil for what is no host with or without a port; without, it is etcd's own.
    private static func url(of member: Substring, _ scheme: String) -> String? {
      guard let parts = URLComponents(string: "\(scheme)://\(member)"), let host = parts.host, !host.isEmpty,
        parts.user == nil, parts.path.isEmpty, parts.query == nil, parts.fragment == nil,
        parts.port.map({ (1...65_535).contains($0) }) ?? !member.hasSuffix(":")
      else { return nil }
      return parts.port == nil ? "\(scheme)://\(member):2379" : "\(scheme)://\(member)"
    }
  }

  struct State {
    var address: String?
    var standing = ReplicaStanding.follower(of: nil)
    var followers = StreamTable<ReplicaStanding>()
    var news: [(batch: StoreBatch, position: Int, bytes: Int)] = []
    var newsBytes = 0
    /// The position before the first of `news`.
    var first = 0
    var readers = StreamTable<ReplicaNews>()
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
    var lease: String?
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

    /// Told in the order in which it is set, as nobody else has the lock.
    mutating func tell(_ standing: ReplicaStanding) {
      guard self.standing != standing else { return }
      self.standing = standing
      followers.yield(standing)
    }
  }

  /// Of entries as they stand in etcd, most that is kept in memory for followers within this process.
  private static let mostNewsBytes = 16 << 20

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
  private let turns = AsyncStream.makeStream(of: Void.self)
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
    folder = try EtcdCopyFolder()
    copyBox = Mutex(try Self.fresh(in: folder.url))
    turns.continuation.yield()
    guard isReading else { return }
    try await readAll(until: patience.map { .now + $0 })
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
    _ work: () async throws(StoreError) -> Value
  ) async throws(StoreError) -> Value {
    for await _ in turns.stream { break }
    defer { turns.continuation.yield() }
    return try await work()
  }

  // MARK: - Coming in

  /// Writes a batch that is the next to the copy.
  func take(_ batch: StoreBatch, position: Int, nonce: UInt64, bytes: Int) async throws(StoreError) {
    try await taking { () throws(StoreError) in
      guard position == self.position + 1 else { return }
      try await copy.commit(batch)
      let readers = state.withLock { state in
        state.news.append((batch, position, bytes))
        state.last = (position, nonce)
        state.logBytes += bytes
        state.newsBytes += bytes
        // Large batches would fill the memory; who is behind them reads all of it anew.
        while state.news.count > 4096 || state.newsBytes > Self.mostNewsBytes, state.news.count > 1 {
          let gone = state.news.removeFirst()
          (state.first, state.newsBytes) = (gone.position, state.newsBytes - gone.bytes)
        }
        return state.readers
      }
      board.change { $0 = position }
      readers.yield(.batch(batch, position: position))
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
        return
      }
      let old = copyBox.withLock { copy in
        defer { copy = store }
        return copy
      }
      try? await old.close()
      let readers = state.withLock { state in
        (state.news, state.newsBytes, state.first, state.last) = ([], 0, position, nil)
        (state.snapshotAt, state.snapshotBytes, state.logBytes) = (position, bytes, 0)
        return state.readers.removeAll()
      }
      board.change { $0 = position }
      for reader in readers { reader.yield(.reset(position: position)); reader.finish() }
    }
  }

  func tell(_ standing: ReplicaStanding) { state.withLock { $0.tell(standing) } }

  // MARK: - As a replicated store

  func campaign(as address: String) async {
    state.withLock { $0.address = address }
    let lead = Task(executorPreference: leasing) { [weak self] in
      while let self, !self.state.withLock(\.isClosed) { await self.campaignOnce() }
    }
    tasks.withLock { $0.append(lead) }
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
    let (stream, continuation) = AsyncStream.makeStream(of: ReplicaNews.self)
    let id = state.withLock { state in
      if position < state.first { continuation.yield(.reset(position: self.position)) }
      for news in state.news where news.position > position {
        continuation.yield(.batch(news.batch, position: news.position))
      }
      return state.readers.add(continuation)
    }
    continuation.onTermination = { [weak self] _ in Task.detached { self?.state.withLock { $0.readers.remove(id) } } }
    return stream
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

  func settle() async -> Bool { await appends.settle() }

  var trouble: StoreError? {
    state.withLock { state in
      if let trouble = state.trouble { return trouble }
      guard let since = state.leaderlessSince else { return nil }
      if let trouble = state.electionTrouble { return trouble }
      // Another should have been elected by now.
      guard since.duration(to: .now) > settings.lease + .seconds(2) else { return nil }
      return StoreError(.notLeader, "No replica has led for \(since.duration(to: .now).components.seconds) s.")
    }
  }

  func load() async throws(StoreError) -> StoreContents {
    try await taking { () throws(StoreError) in
      var contents = try await copy.load()
      contents.position = position
      return contents
    }
  }

  func close() async throws(StoreError) {
    await resign()
    let (followers, readers, watching) = state.withLock { state in
      state.isClosed = true
      return (state.followers.removeAll(), state.readers.removeAll(), state.watching)
    }
    watching?.cancel()
    bell.continuation.finish()
    for task in tasks.withLock(\.self) { task.cancel() }
    client.shutdown()
    for task in tasks.withLock(\.self) { await task.value }
    for follower in followers { follower.finish() }
    for reader in readers { reader.finish() }
    try await copy.close()
    folder.remove()
  }

  func commit(_ batch: StoreBatch) async throws(StoreError) {
    throw StoreError(.notLeader, "Only a leader commits.")
  }

  func probe() async throws(StoreError) { if let trouble { throw trouble } }
  var sizeBytes: Int? { copy.sizeBytes }

}
