import Foundation
import GRDB
import ParvaHTTP
import ParvaServing
import Synchronization

/// Snapshots: what the log has made, as one file, so that the log before it can go and etcd stays small.
extension EtcdStore {
  /// After how many entries another snapshot is made, and after how many bytes of them, where the last one was not larger.
  private static let mostEntries = 2000
  private static let mostLogBytes = 32 << 20
  /// How many entries stay before a snapshot, for replicas that are a little behind.
  private static let keptEntries = 500
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
        position - (state.snapshotAt ?? 0) >= Self.mostEntries
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
        if error.code == .full { await compact() }
      }
      state.withLock { $0.isSnapshotting = false }
    }
  }

  private func snapshot(in term: Int) async throws(StoreError) {
    let logged = state.withLock(\.logBytes)
    let (file, position) = try await taking { () throws(StoreError) in (try await copy.wholeFile(), self.position) }
    let bytes = try await packing.run { () throws(StoreError) in try Self.packed(file) }
    try await publish(bytes, position: position, in: term, keptFrom: firstKept(before: position))
    state.withLock { state in
      (state.snapshotAt, state.snapshotBytes) = (position, bytes.count)
      state.logBytes -= min(logged, state.logBytes)
    }
    await compact()
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
  /// - Throws: `not_leader` where somebody else leads.
  func publish(
    _ bytes: Data, position: Int, in term: Int, keptFrom first: Int
  ) async throws(StoreError) {
    let nonce = UInt64.random(in: 0...UInt64.max)
    let count = try await write(bytes, "snap", position, nonce, in: term)
    let (old, parts) = (keys.partsBefore("snap", position), keys.partsBefore("part", first))
    // Where nobody leads, somebody may have, and gone, since the copy was read.
    let isUntouched = term == 0 ? [EtcdClient.created(keys.entry(position), at: 0)] : []
    try await certainly(
      in: term, position: position, nonce: nil, if: isUntouched,
      then: [
        EtcdClient.put(keys.snapshot, EtcdEntry(nonce: nonce, parts: count, position: position).value),
        EtcdClient.delete(keys.entry(0), to: keys.entry(first)),
        EtcdClient.delete(old.from, to: old.to), EtcdClient.delete(parts.from, to: parts.to),
      ])
  }

  /// The first entry that a replica which is a little behind may still ask for.
  private func firstKept(before position: Int) -> Int {
    state.withLock { state in
      var (first, bytes) = (position + 1, 0)
      for news in state.news.reversed() where news.position <= position {
        bytes += news.bytes
        guard bytes <= Self.keptBytes, position - news.position < Self.keptEntries else { break }
        first = news.position
      }
      return first
    }
  }

  /// Forgets what etcd keeps of values that were replaced or deleted. It is tried again after the next snapshot.
  func compact() async {
    struct Nothing: Decodable {}
    guard let answer = try? await client.transaction(if: [], then: [EtcdClient.range(keys.leader)]),
      let revision = answer.header.revision
    else { return }
    let _: Nothing? = try? await client.call("/v3/kv/compaction", #"{"revision":"\#(revision)"}"#)
  }

  /// Whether etcd takes writes of a leader: it answers questions when its room is used up, too.
  func tryWriting(in term: Int) async throws(StoreError) {
    try await certainly(
      in: term, position: 0, nonce: nil, if: [], then: [EtcdClient.put(keys.probe, Data([0]))])
  }
}

extension SQLiteStore {
  /// All of it as one file's bytes. O(bytes).
  func wholeFile() async throws(StoreError) -> Data {
    try await translating {
      let path = pool.path + ".snapshot"
      try? FileManager.default.removeItem(atPath: path)
      defer { try? FileManager.default.removeItem(atPath: path) }
      try await pool.writeWithoutTransaction { try $0.execute(sql: "VACUUM INTO ?", arguments: [path]) }
      return try Data(contentsOf: URL(filePath: path))
    }
  }
}
