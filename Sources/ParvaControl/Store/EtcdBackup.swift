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

  /// Puts a copy in place of what is in etcd, as a snapshot that comes after all of it. No controller may lead meanwhile;
  /// those that follow, or begin later, read it.
  ///
  /// - Throws: what ``SQLiteBackup/check(_:)`` throws of the copy; `store_in_use` where a controller leads;
  ///   `store_cannot_open` where something is there that is not to be replaced; `store_full`, `store_unavailable`.
  static func restore(
    _ file: String, _ place: String, _ access: StoreAccess, replacing: Bool
  ) async throws(StoreError) -> SQLiteBackup.Contents {
    let contents = try SQLiteBackup.check(file)
    let store = try await EtcdStore(EtcdStore.Settings(place, access), patience: patience)
    do throws(StoreError) {
      let position = store.position
      guard replacing || position == 0 else {
        throw StoreError(.cannotOpen, "There is a store at etcd:\(place) already.")
      }
      guard let bytes = try? Data(contentsOf: URL(filePath: file)) else {
        throw StoreError(.cannotOpen, "\(file) cannot be read.")
      }
      try await store.publish(
        EtcdStore.packed(bytes), position: position + 1, in: 0, keptFrom: position + 2)
      await store.compact()
      try await store.close()
      return contents
    } catch {
      try? await store.close()
      guard error.code == .notLeader else { throw error }
      throw StoreError(.inUse, "A controller leads on etcd:\(place); stop the controllers first.")
    }
  }
}
