import Foundation
import GRDB
import Glibc

/// Copies of a store as one file each: made while a controller has the store open, put in place while none has.
package enum SQLiteBackup {
  /// What a copy holds.
  package struct Contents: Hashable, Sendable {
    package var demandRevision: Int
    /// Of the newest plan; nil before the first.
    package var planRevision: Int?
    package var workloads: Int
    package var nodes: Int
    package var bytes: Int
  }

  /// Writes all that is committed in a store when this begins into a new file, for its owner alone, since secrets of nodes
  /// are in it. Writers are not held up. The file is there under its name when it is whole, judged and on the disk.
  ///
  /// - Throws: `store_cannot_open` where there is no store or the file exists, `store_corrupt`, `store_too_new`,
  ///   `store_full`, `store_failed`.
  /// - Complexity: O(bytes of the store).
  @discardableResult
  package static func write(_ store: String, to file: String) throws(StoreError) -> Contents {
    guard isThere(store) else { throw StoreError(.cannotOpen, "There is no store at \(store).") }
    guard !isThere(file) else {
      throw StoreError(.cannotOpen, "\(file) exists already; a backup goes into a new file.")
    }
    let part = file + ".part"
    try copy(store, to: part)
    defer { unlink(part) }
    let contents = try check(part)
    // Unlike a rename, a link never takes the place of what somebody has put there meanwhile.
    guard link(part, file) == 0 else { throw failure("\(file) cannot be written", errno) }
    syncFolder(of: file)
    return contents
  }

  /// Puts a copy in place of a store that no controller has open. What stood there is kept under its name with
  /// `.before-restore` behind it, in place of what an earlier restore kept. One that was broken off is called again.
  /// Nodes take it for later than everything that a controller has told them before; see ``beginEpoch(in:at:)``.
  ///
  /// - Throws: what `check` throws of the copy; `store_in_use`; `store_cannot_open` where a store is there that is not to
  ///   be replaced; `store_full`, `store_failed`.
  @discardableResult
  package static func restore(_ file: String, to store: String, replacing: Bool) throws(StoreError) -> Contents {
    try check(file)
    let folder = URL(filePath: store).deletingLastPathComponent()
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw StoreError(.cannotOpen, "The folder \(folder.path) cannot be made: \(error.localizedDescription)")
    }
    let lock = try StoreLock(path: store + ".lock")
    defer { lock.release() }
    guard replacing || !isThere(store) else {
      throw StoreError(.cannotOpen, "There is a store at \(store) already.")
    }
    let fresh = store + ".restoring"
    unlink(fresh)
    try copy(file, to: fresh)
    defer { unlink(fresh) }
    try beginEpoch(in: fresh)
    let contents = try check(fresh)
    // Its log goes with it: beside another database it would be taken for that one's.
    for suffix in SQLiteStore.suffixes where isThere(store + suffix) {
      let kept = store + ".before-restore" + suffix
      guard rename(store + suffix, kept) == 0 else {
        throw failure("\(store + suffix) cannot be moved to \(kept)", errno)
      }
    }
    guard rename(fresh, store) == 0 else { throw failure("\(store) cannot be put in place", errno) }
    syncFolder(of: store)
    return contents
  }

  /// Reads all of a copy, or of a store that is at rest, and says what it holds.
  ///
  /// - Throws: `store_cannot_open`, `store_corrupt` where it is damaged or no store of Parva, `store_too_new`.
  @discardableResult
  package static func check(_ file: String) throws(StoreError) -> Contents {
    guard isThere(file) else { throw StoreError(.cannotOpen, "There is no file \(file).") }
    return try read(file) { db in
      let faults = try String.fetchAll(db, sql: "PRAGMA integrity_check(1)")
      guard faults == ["ok"] else {
        throw StoreError(.corrupt, "\(file) is damaged: \(faults.first ?? "it cannot be read").")
      }
      guard try db.tableExists("grdb_migrations"), try db.tableExists("workload") else {
        throw StoreError(.corrupt, "\(file) is no store of Parva.")
      }
      try SQLiteStore.Schema.refuseNewer(db, path: file)
      return Contents(
        demandRevision: try Int.fetchOne(db, sql: "SELECT value FROM meta WHERE name = 'demand_revision'") ?? 0,
        planRevision: try Int.fetchOne(db, sql: "SELECT max(revision) FROM plan"),
        workloads: try Int.fetchOne(db, sql: "SELECT count(*) FROM workload") ?? 0,
        nodes: try db.tableExists("node") ? try Int.fetchOne(db, sql: "SELECT count(*) FROM node") ?? 0 : 0,
        bytes: try Int.fetchOne(db, sql: "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size") ?? 0)
    }
  }

  // MARK: - Epochs

  /// Puts the terms of controllers that go on from a copy after all terms of those that led before.
  ///
  /// Nodes refuse terms below the highest that they have heard, and that is not in the copy where the copy is older. An epoch
  /// is the time in seconds, times 2²¹: what counts terms within it, changes of etcd since it was new, never comes to
  /// so many in a second. It stays below 2⁵³, as numbers in JSON have to, until the year 2106.
  static func beginEpoch(in file: String, at time: Date = Date()) throws(StoreError) {
    let now = Int(min(max(0, time.timeIntervalSince1970), Double(UInt32.max))) << 21
    do {
      let queue = try DatabaseQueue(path: file)
      defer { try? queue.close() }
      try queue.write { db in
        let before = try Int.fetchOne(db, sql: "SELECT value FROM meta WHERE name = 'epoch'") ?? 0
        try db.execute(
          sql: "INSERT INTO meta (name, value) VALUES ('epoch', ?) ON CONFLICT DO UPDATE SET value = excluded.value",
          arguments: [max(now, before + (1 << 21))])
      }
    } catch {
      throw StoreError(translating: error)
    }
  }

  // MARK: - Files

  /// As one database without a log, at a name that is free.
  static func copy(_ source: String, to target: String) throws(StoreError) {
    let made = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard made >= 0 else { throw failure("\(target) cannot be made", errno) }
    defer { Glibc.close(made) }
    do {
      try read(source) { try $0.execute(sql: "VACUUM INTO ?", arguments: [target]) }
    } catch {
      unlink(target)
      throw error
    }
    guard fsync(made) == 0 else {
      let cause = errno
      unlink(target)
      throw failure("\(target) cannot be synced", cause)
    }
  }

  private static func read<Value>(_ file: String, _ work: (GRDB.Database) throws -> Value) throws(StoreError) -> Value {
    var configuration = Configuration()
    configuration.readonly = true
    configuration.busyMode = .timeout(5)
    do {
      let queue = try DatabaseQueue(path: file, configuration: configuration)
      defer { try? queue.close() }
      return try queue.unsafeRead(work)
    } catch let error as DatabaseError where error.resultCode == .SQLITE_NOTADB {
      throw StoreError(.corrupt, "\(file) is no database.")
    } catch {
      throw StoreError(translating: error)
    }
  }

  private static func isThere(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0
  }

  private static func failure(_ what: String, _ cause: Int32) -> StoreError {
    StoreError(cause == ENOSPC || cause == EDQUOT ? .full : .failed, "\(what): \(String(cString: strerror(cause))).")
  }

  /// A new name is on the disk only with its folder.
  private static func syncFolder(of path: String) {
    let folder = open(URL(filePath: path).deletingLastPathComponent().path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { return }
    fsync(folder)
    Glibc.close(folder)
  }
}
