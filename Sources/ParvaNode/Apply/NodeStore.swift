package import Foundation
import Glibc
package import ParvaWire

/// What a node knows of itself across restarts and reboots, in one folder.
package struct NodeStore: Sendable {
  /// The last state that was read back as wanted.
  package struct Verified: Codable, Hashable, Sendable {
    package var wanted: NodeAssignment
    package var holdings: Holdings
    package var bootID: String
    /// Set while the GPUs are known to differ from `wanted`.
    package var degraded: ApplyFailure?
  }

  package let directory: URL
  package let bootID: String
  package var journal: ApplyJournal { ApplyJournal(path: directory.appendingPathComponent("journal.jsonl").path) }
  private var verifiedPath: URL { directory.appendingPathComponent("verified.json") }

  /// Makes the folder when it is not there. `bootID` nil reads the kernel's.
  package init(directory: URL, bootID: String? = nil) throws {
    self.directory = directory
    self.bootID = bootID ?? Self.kernelBootID()
    try FileManager.default.createDirectory(
      at: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
  }

  private static func kernelBootID() -> String {
    let text = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
    return text?.trimmingCharacters(in: .whitespacesAndNewlines) ?? "unknown"
  }

  /// Nil on a node that never applied anything. Holdings of an earlier boot are empty: no instance survives one.
  ///
  /// A record that is there and cannot be read is no missing one: what Parva owns would be taken for somebody else's.
  package func verified() throws(ApplyJournal.Failure) -> Verified? {
    guard let data = FileManager.default.contents(atPath: verifiedPath.path) else {
      let file = open(verifiedPath.path, O_RDONLY | O_CLOEXEC)
      let code = errno
      if file >= 0 { close(file) }
      if file < 0 && code == ENOENT { return nil }
      throw .unreadable(path: verifiedPath.path, errno: file < 0 ? code : EIO)
    }
    guard var found = try? JSONDecoder().decode(Verified.self, from: data) else {
      throw .corrupt(path: verifiedPath.path, line: 1)
    }
    if found.bootID != bootID { found.holdings = Holdings() }
    return found
  }

  /// Replaces the verified state so that a crash leaves the old one or the new one, never a part.
  package func save(_ verified: Verified) throws(ApplyJournal.Failure) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    let path = verifiedPath.path
    guard let data = try? encoder.encode(verified) else { throw .unwritable(path: path, errno: EINVAL) }
    do {
      try AtomicFile.write(data, to: path)
    } catch {
      throw .unwritable(path: error.path, errno: error.errno)
    }
  }

  /// Puts the end of an apply into the verified state and closes its journal.
  package func settle(
    _ outcome: ApplyOutcome, of wanted: NodeAssignment, lost: [LostGPU]
  ) throws(ApplyJournal.Failure) {
    let before = try verified()
    let empty = NodeAssignment(revision: 0, gpus: [])
    switch outcome {
    case .refused: return
    case .verified(let owned, _):
      try save(
        Verified(
          wanted: wanted, holdings: Holdings(owned: owned, lost: lost), bootID: bootID, degraded: .lost(lost)))
    case .rolledBack(_, let owned):
      try save(
        Verified(
          wanted: before?.wanted ?? empty, holdings: Holdings(owned: owned, lost: lost), bootID: bootID,
          degraded: before?.degraded))
    case .stuck(let failure, _, let holdings):
      try save(
        Verified(wanted: before?.wanted ?? empty, holdings: holdings, bootID: bootID, degraded: failure))
    }
    try journal.clear()
  }
}
