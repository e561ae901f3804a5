import Foundation
import GRDB
import Logging
import ParvaHTTP
import ParvaServing
import Synchronization

/// Snapshots: what the log has made, as one file, so that the log before it can go and etcd stays small.
extension EtcdStore {
  /// After how many bytes of entries another snapshot is made, where the last one was not larger.
  private static let mostLogBytes = 32 << 20
  /// How many entries stay before a snapshot, for replicas that are a little behind, and most bytes of them.
  private var keptEntries: Int { settings.snapshotEntries / 4 }
  private static let keptBytes = 16 << 20
  /// Rest after one that failed.
  private static let rest = Duration.seconds(10)
  /// What gzip's length of 32 bits can say.
  static let mostFileBytes = (1 << 32) - 1

  /// Begins a snapshot where the log has grown enough. Commits go on while it is written.
  func snapshotWhereDue(_ term: Int) {
    let position = position
    let isDue = state.withLock { state -> Bool in
      let isGrown =
        position - (state.snapshotAt ?? 0) >= settings.snapshotEntries
        || state.logBytes >= max(Self.mostLogBytes, state.snapshotBytes)
      let isDue = isGrown && !state.isSnapshotting && state.nextSnapshot.map { .now >= $0 } ?? true
      if isDue { state.isSnapshotting = true }
      return isDue
    }
    guard isDue, !appends.isLost(term) else { return }
    Task {
      do throws(StoreError) {
        try await snapshot(in: term)
      } catch {
        // The log is whole without it.
        state.withLock { $0.nextSnapshot = .now + Self.rest }
        if error.code == .full { makeRoom() }
        if error.code != .notLeader {
          logger?.warning(
            "no snapshot of the store could be made; it is tried again",
            metadata: ["code": "\(error.code.rawValue)", "error": "\(error)"])
        }
      }
      state.withLock { $0.isSnapshotting = false }
    }
  }

  private func snapshot(in term: Int) async throws(StoreError) {
    let begun = ContinuousClock.now
    // Commits wait for the moment that is kept alone, and go on while it is copied.
    let (moment, position, logged) = try await taking { () throws(StoreError) in
      (try copy.moment(), self.position, state.withLock(\.logBytes))
    }
    let bytes = try await packing.run { () throws(StoreError) in try Self.packed(moment.file()) }
    let there = try await newest(until: .now + .seconds(5))
    try await publish(
      bytes, position: position, in: term, keptFrom: firstKept(before: position), previous: there.snapshot,
      if: [there.unmoved])
    state.withLock { state in
      (state.snapshotAt, state.snapshotBytes) = (position, bytes.count)
      state.logBytes -= min(logged, state.logBytes)
    }
    await compact()
    logger?.info(
      "a snapshot of the store is made",
      metadata: [
        "bytes": "\(bytes.count)", "seconds": "\(begun.duration(to: .now) / .seconds(1))", "commits": "\(position)",
      ])
  }

  static func packed(_ file: Data) throws(StoreError) -> Data {
    guard file.count <= mostFileBytes else {
      throw StoreError(
        .full, "A snapshot of the store would have \(file.count) bytes; at most 4 GiB can be kept in etcd.")
    }
    guard let bytes = Gzip.compress(file) else {
      throw StoreError(.failed, "There is no memory to write a snapshot of the store.")
    }
    return bytes
  }

  /// Names bytes as the newest snapshot once all its parts are there, and takes away what nobody needs any more with it.
  ///
  /// - Parameters:
  ///   - term: of the leader who does it; 0: nobody leads, now and until it is done.
  ///   - first: the first entry that stays.
  ///   - previous: the snapshot that stays beside it, for those who are reading it.
  ///   - puts: what is written besides.
  ///   - compares: what has to be so besides.
  /// - Throws: `not_leader` where somebody else leads.
  func publish(
    _ bytes: Data, position: Int, in term: Int, keptFrom first: Int, previous: Int? = nil,
    puts: [String] = [], if compares: [String] = []
  ) async throws(StoreError) {
    let nonce = UInt64.random(in: 0...UInt64.max)
    let count = try await write(bytes, "snap", position, nonce, in: term)
    let (old, parts) = (keys.partsBefore("snap", previous ?? position), keys.partsBefore("part", first))
    try await certainly(
      in: term, position: position, nonce: nonce, if: compares,
      then: [
        EtcdClient.put(keys.snapshot, EtcdEntry(nonce: nonce, parts: count, position: position).value),
        EtcdClient.delete(keys.entry(0), to: keys.entry(first)),
        EtcdClient.delete(old.from, to: old.to), EtcdClient.delete(parts.from, to: parts.to),
      ] + puts)
  }

  /// The first entry that a replica which is a little behind may still ask for.
  private func firstKept(before position: Int) -> Int {
    state.withLock { state in
      var (first, bytes) = (position + 1, 0)
      for news in state.news.all.reversed() where news.position <= position {
        bytes += news.bytes
        guard bytes <= Self.keptBytes, position - news.position < keptEntries else { break }
        first = news.position
      }
      return first
    }
  }

  /// Forgets what etcd keeps of values that were replaced or deleted. It is tried again after the next snapshot.
  func compact() async {
    guard let answer = try? await client.transaction(if: [], then: [EtcdClient.range(keys.leader)]),
      let revision = answer.header.revision
    else { return }
    let _: EtcdClient.Nothing? = try? await client.call("/v3/kv/compaction", #"{"revision":"\#(revision)"}"#)
  }

  /// What was refused for want of room may find some where etcd forgets what was replaced.
  func makeRoom() {
    let isDue = state.withLock { state in
      guard state.nextCompaction.map({ .now >= $0 }) ?? true else { return false }
      state.nextCompaction = .now + Self.rest
      return true
    }
    if isDue { Task { await compact() } }
  }

  /// Whether etcd takes writes of a leader: it answers questions when its room is used up, too.
  func tryWriting(in term: Int) async throws(StoreError) {
    try await certainly(
      in: term, position: 0, nonce: nil, if: [], then: [EtcdClient.put(keys.probe, Data([0]))])
  }
}

extension SQLiteStore {
  /// What is in it at a moment, which commits after it do not change.
  struct Moment: Sendable {
    fileprivate let snapshot: DatabaseSnapshot
    fileprivate let path: String

    /// All of it as one file's bytes. O(bytes).
    func file() throws(StoreError) -> Data {
      let (copied, small) = (path + ".snapshot", path + ".small")
      func remove() {
        for path in [copied, small] {
          for suffix in SQLiteStore.suffixes + ["-journal"] {
            try? FileManager.default.removeItem(atPath: path + suffix)
          }
        }
      }
      remove()
      defer { remove() }
      do {
        let queue = try DatabaseQueue(path: copied)
        try snapshot.backup(to: queue)
        // VACUUM cannot read the moment itself, since it begins a transaction of its own.
        try queue.writeWithoutTransaction { try $0.execute(sql: "VACUUM INTO ?", arguments: [small]) }
        try queue.close()
        return try Data(contentsOf: URL(filePath: small))
      } catch {
        throw StoreError(translating: error)
      }
    }
  }

  /// - Throws: `store_failed`.
  func moment() throws(StoreError) -> Moment {
    do {
      return Moment(snapshot: try pool.makeSnapshot(), path: pool.path)
    } catch {
      throw StoreError(translating: error)
    }
  }
}
