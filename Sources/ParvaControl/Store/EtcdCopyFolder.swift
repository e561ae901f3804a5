import Foundation
import Glibc

/// The private folder of a replica's copy: gone when the store is closed, or with the next process where this one was killed.
struct EtcdCopyFolder: Sendable {
  private static let prefix = "parva-copy-"
  private static let beginning = "parva-begun-"
  private static let lockName = "lock"

  let url: URL
  private let lock: StoreLock

  /// Makes one for its owner alone, and removes those whose processes are gone.
  ///
  /// - Throws: `store_cannot_open`.
  init(in place: URL = FileManager.default.temporaryDirectory) throws(StoreError) {
    Self.removeStale(in: place)
    let name = UUID().uuidString
    let made = place.appending(path: Self.beginning + name)
    url = place.appending(path: Self.prefix + name)
    do {
      try FileManager.default.createDirectory(
        at: made, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
      // Whoever removes what is left of others finds it under its name only once it is locked.
      lock = try StoreLock(path: made.appending(path: Self.lockName).path)
      try FileManager.default.moveItem(at: made, to: url)
    } catch let error as StoreError {
      throw error
    } catch {
      throw StoreError(
        .cannotOpen, "The copy of the store in \(url.path) cannot be made: \(error.localizedDescription)")
    }
  }

  func remove() {
    try? FileManager.default.removeItem(at: url)
    lock.release()
  }

  /// Removes a copy that another one has taken the place of, and what SQLite has put beside it.
  func remove(_ copy: String) {
    for suffix in SQLiteStore.suffixes + [".lock"] { unlink(copy + suffix) }
  }

  private static func removeStale(in place: URL) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: place.path)) ?? []
    for name in names where name.hasPrefix(beginning) || name.hasPrefix(prefix) {
      let folder = place.appending(path: name)
      if name.hasPrefix(beginning) {
        // It has its other name within milliseconds, or nobody is there any more to give it.
        let made = try? FileManager.default.attributesOfItem(atPath: folder.path)[.modificationDate] as? Date
        if let made, -made.timeIntervalSinceNow > 60 { try? FileManager.default.removeItem(at: folder) }
        continue
      }
      let path = folder.appending(path: lockName).path
      // One without a lock is only just being made; one that is held is in use.
      guard FileManager.default.fileExists(atPath: path), let lock = try? StoreLock(path: path) else { continue }
      try? FileManager.default.removeItem(at: folder)
      lock.release()
    }
  }
}
