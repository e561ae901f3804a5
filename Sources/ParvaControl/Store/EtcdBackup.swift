import Foundation
import GRDB

/// Copies of a store in etcd as one SQLite file each, of the same kind as ``SQLiteBackup`` makes: what is taken from one kind
/// of store can be put into the other.
enum EtcdBackup {
  /// How long etcd is waited for.
  private static let patience = Duration.seconds(15)

  /// Writes all that is committed when this begins into a new file. Controllers go on meanwhile.
  ///
  /// - Throws: what ``SQLiteBackup/write(_:to:)`` throws; `store_unavailable`.
  static func write(
    _ place: String, _ access: StoreAccess, to file: String
  ) async throws(StoreError) -> SQLiteBackup.Contents {
    let store = try await EtcdStore(EtcdStore.Settings(place, access), patience: patience)
    do throws(StoreError) {
      guard store.position > 0 else { throw StoreError(.cannotOpen, "There is no store at etcd:\(place).") }
      let contents = try SQLiteBackup.write(store.copy.pool.path, to: file)
      try await store.close()
      return contents
    } catch {
      try? await store.close()
      throw error
    }
  }

  /// Puts a copy in place of what is in etcd, damaged or not, as a snapshot that comes after all of it. No controller may lead
  /// meanwhile; those that follow, or begin later, read it.
  ///
  /// - Throws: what ``SQLiteBackup/check(_:)`` throws of the copy; `store_in_use` where a controller leads;
  ///   `store_cannot_open` where something is there that is not to be replaced; `store_full`, `store_unavailable`.
  static func restore(
    _ file: String, _ place: String, _ access: StoreAccess, replacing: Bool
  ) async throws(StoreError) -> SQLiteBackup.Contents {
    let contents = try SQLiteBackup.check(file)
    let bytes = try continued(file)
    let store = try await EtcdStore(EtcdStore.Settings(place, access), patience: patience, isReading: false)
    do throws(StoreError) {
      let there = try await store.newest(until: .now + patience)
      guard replacing || !there.isAny else {
        throw StoreError(.cannotOpen, "There is a store at etcd:\(place) already.")
      }
      let position = there.position + 1
      try await store.publish(
        EtcdStore.packed(bytes), position: position, in: 0, keptFrom: position + 1,
        // It may be of a newer version than this one: what comes from here on is not.
        puts: [EtcdClient.put(store.keys.schema, EtcdStore.written(store.settings.schema))], if: there.unchanged)
      await store.compact()
      try await store.close()
      return contents
    } catch {
      try? await store.close()
      guard error.code == .notLeader else { throw error }
      throw StoreError(.inUse, "A controller leads on etcd:\(place), or has led just now; stop the controllers first.")
    }
  }

  /// The bytes of a copy as a store has them that goes on from it.
  private static func continued(_ file: String) throws(StoreError) -> Data {
    let folder = try EtcdCopyFolder()
    defer { folder.remove() }
    let fresh = folder.url.appending(path: "fresh.sqlite")
    try SQLiteBackup.copy(file, to: fresh.path)
    try SQLiteBackup.beginEpoch(in: fresh.path)
    guard let bytes = try? Data(contentsOf: fresh) else {
      throw StoreError(.failed, "\(fresh.path) cannot be read.")
    }
    return bytes
  }
}

extension EtcdStore {
  /// What is in etcd, whether it can be read or not.
  struct Newest: Sendable {
    /// Of the last entry or snapshot.
    var position: Int
    /// Of the snapshot that the pointer names.
    var snapshot: Int?
    var isAny: Bool
    /// Holds until there is another snapshot. A request that comes late, of an earlier one, finds it moved.
    var unmoved: String
    /// Holds until a leader changes something.
    var unchanged: [String]
  }

  /// - Throws: `store_unavailable` where etcd does not answer by then, `store_failed`.
  func newest(until end: ContinuousClock.Instant) async throws(StoreError) -> Newest {
    let answer: (revision: Int, rows: [EtcdClient.Range])
    while true {
      do throws(EtcdClient.Failure) {
        answer = try await client.read([
          EtcdClient.range(keys.snapshot), EtcdClient.last(keys.entry(0), to: keys.afterEntries),
          EtcdClient.last(keys.snapshots.from, to: keys.snapshots.to),
        ])
        break
      } catch {
        if case .refused = error { throw StoreError(error) }
        guard .now < end else { throw StoreError(error) }
        try? await Task.sleep(for: .milliseconds(200))
      }
    }
    let pointer = answer.rows[0].first
    let positions = [
      pointer.flatMap { try? EtcdEntry($0.value, "The pointer to the snapshot") }?.position,
      answer.rows[1].first.flatMap { keys.position(ofEntry: $0.key) },
      answer.rows[2].first.flatMap { keys.position(ofSnapshot: $0.key) },
    ]
    let position = positions.compactMap(\.self).max() ?? 0
    let unmoved = EtcdClient.modified(keys.snapshot, at: pointer?.modRevision.flatMap { Int($0) } ?? 0)
    return Newest(
      position: position, snapshot: positions[0], isAny: answer.rows.contains { $0.first != nil }, unmoved: unmoved,
      unchanged: [unmoved, EtcdClient.created(keys.entry(position + 1), at: 0)])
  }
}
