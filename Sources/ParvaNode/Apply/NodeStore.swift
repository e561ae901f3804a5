package import Foundation
import Glibc
import ParvaFormats
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

  private var termPath: URL { directory.appendingPathComponent("term.json") }

  private struct Term: Codable { var term: Int }

  /// The latest term of a leading controller that the node has seen; 0 before the first.
  package func term() throws(ApplyJournal.Failure) -> Int {
    let data: Data?
    do throws(AtomicFile.Failure) {
      data = try AtomicFile.read(termPath.path)
    } catch {
      throw ApplyJournal.Failure(reading: error)
    }
    guard let data else { return 0 }
    guard let found = try? JSONDecoder().decode(Term.self, from: data), found.term >= 0 else {
      throw .damaged(path: termPath.path)
    }
    return found.term
  }

  /// Keeps the term across restarts: on disk when it returns.
  package func save(term: Int) throws(ApplyJournal.Failure) {
    do throws(AtomicFile.Failure) {
      try AtomicFile.write(Data("{\"term\":\(term)}\n".utf8), to: termPath.path)
    } catch {
      throw .unwritable(path: error.path, errno: error.errno)
    }
  }

  /// Makes the folder when it is not there. `bootID` nil reads the kernel's.
  package init(directory: URL, bootID: String? = nil) throws {
    self.init(reading: directory, bootID: bootID)
    try FileManager.default.createDirectory(
      at: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
  }

  /// For looking alone: the folder need not be there.
  package init(reading directory: URL, bootID: String? = nil) {
    self.directory = directory
    self.bootID = bootID ?? Self.kernelBootID()
  }

  private static func kernelBootID() -> String {
    let text = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
    return text?.trimmingCharacters(in: .whitespacesAndNewlines) ?? "unknown"
  }

  /// Nil on a node that never applied anything. Holdings of an earlier boot are empty: no instance survives one.
  ///
  /// A record that is there and cannot be read is no missing one: what Parva owns would be taken for somebody else's.
  package func verified() throws(ApplyJournal.Failure) -> Verified? {
    let data: Data?
    do throws(AtomicFile.Failure) {
      data = try AtomicFile.read(verifiedPath.path)
    } catch {
      throw ApplyJournal.Failure(reading: error)
    }
    guard let data else { return nil }
    guard var found = try? JSONDecoder().decode(Verified.self, from: data) else {
      throw .damaged(path: verifiedPath.path)
    }
    if found.bootID != bootID { found.holdings = Holdings() }
    return found
  }

  /// What is Parva's on the node by all that is on record.
  package struct Known: Sendable {
    package var verified: Verified?
    /// An apply that is under way now, or that something ended on its way.
    package var unfinished: UnfinishedApply?
    var holdings: Holdings

    /// One that no other plan of the node has had.
    package var nextRevision: Int {
      max(verified?.wanted.revision ?? 0, unfinished?.begin.wanted.revision ?? 0) + 1
    }

    /// What of a GPU is Parva's: with what stands where an apply that has not ended was making something.
    package func owned(on gpu: ObservedGPU) -> [OwnedInstance] {
      var all = holdings
      all.settle(on: gpu)
      return all.owned.filter { $0.gpu == gpu.uuid }
    }

    package func owned(on gpus: [ObservedGPU]) -> [OwnedInstance] {
      let seen = gpus.flatMap(owned(on:))
      return seen + holdings.owned.filter { record in !gpus.contains { $0.uuid == record.gpu } }
    }

    /// What is on record on GPUs that do not answer, by UUID. One that was lost before anybody looked shows under no UUID.
    package func lost(on node: ObservedNode) -> [(gpu: String, owned: [OwnedInstance])] {
      let answering = Set(node.gpus.filter { $0.fault == nil }.map(\.uuid))
      let silent = Dictionary(grouping: holdings.owned.filter { !answering.contains($0.gpu) }, by: \.gpu)
      return silent.sorted { $0.key < $1.key }.map { ($0.key, $0.value.sorted { $0.place < $1.place }) }
    }

    /// Whether an instance is Parva's by an apply that has not ended, and by nothing that was verified.
    package func isUnfinished(_ instance: ObservedInstance, on gpu: ObservedGPU) -> Bool {
      let was = verified?.holdings.owned ?? []
      return !was.contains { $0.matches(instance, on: gpu.uuid) }
        && owned(on: gpu).contains { $0.matches(instance, on: gpu.uuid) }
    }
  }

  /// The verified state with the apply that has not ended, if any: what that one holds counts, since it began with all that
  /// was verified.
  package func known() throws(ApplyJournal.Failure) -> Known {
    // First the journal: what ends between the two readings is in the verified state then.
    let left = try journal.unfinished()
    let verified = try verified()
    guard let left, left.begin.bootID == bootID else {
      return Known(verified: verified, unfinished: left, holdings: verified?.holdings ?? Holdings())
    }
    let ended = left.verified.map { Holdings(owned: $0, lost: left.lost) }
    return Known(verified: verified, unfinished: left, holdings: ended ?? left.holdings)
  }

  /// Sees to it, before anything is changed, that the verified state can be written when the change is made.
  func rehearse(_ wanted: NodeAssignment) throws(ApplyJournal.Failure) {
    let path = verifiedPath.path + ".rehearsal"
    // As much as the end of the apply will take, and a page.
    let size = ((try? WireWriter.json(wanted, isForPeople: true).count) ?? 0) * 4 + 4_096
    do {
      try AtomicFile.write(Data(count: size), to: path)
    } catch {
      throw .unwritable(path: verifiedPath.path, errno: error.errno)
    }
    unlink(path)
  }

  /// Replaces the verified state so that a crash leaves the old one or the new one, never a part.
  package func save(_ verified: Verified) throws(ApplyJournal.Failure) {
    let path = verifiedPath.path
    guard let data = try? WireWriter.json(verified, isForPeople: true) else {
      throw .unwritable(path: path, errno: EINVAL)
    }
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
