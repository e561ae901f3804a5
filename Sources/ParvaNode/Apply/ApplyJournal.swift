import Foundation
import Glibc
import ParvaFormats

/// What a journal says of an apply that did not come to its end.
package struct UnfinishedApply: Hashable, Sendable {
  package var begin: JournalBegin
  package var holdings: Holdings
  package var failure: ApplyFailure?
  /// GPUs that a step was begun on before the failure.
  package var touched: Set<String> = []
  /// Set when only the bookkeeping after the end is missing.
  package var verified: [OwnedInstance]?
  package var lost: [LostGPU] = []

  /// The first line, from 1, that no apply writes where it stands; nil for none. An apply begins once, ends only the step
  /// that it has just begun, and turns back once. After the end of an apply of an earlier boot it goes on.
  static func contradiction(in records: [JournalRecord]) -> Int? {
    var before: JournalRecord?
    var hasTurned = false
    for (index, record) in records.enumerated() {
      let isRight =
        switch record {
        case .begin: index == 0
        case .started, .verified: index > 0
        case .done(let step, _): before == .started(step)
        case .rollback: index > 0 && !hasTurned
        }
      if !isRight { return index + 1 }
      if case .rollback = record { hasTurned = true }
      before = record
    }
    return nil
  }

  /// Replays records in order; nil for none.
  package init?(_ records: [JournalRecord]) {
    guard case .begin(let begin)? = records.first else { return nil }
    self.begin = begin
    holdings = begin.holdings
    for record in records.dropFirst() {
      switch record {
      case .begin: return nil
      case .started(let step):
        holdings.start(step)
        if failure == nil { touched.insert(step.gpu) }
      case .done(let step, let instance): holdings.finish(step, instance: instance)
      case .rollback(let failure):
        self.failure = failure
        if failure.code == ApplyProblem.Code.foreignInstance.rawValue, let step = failure.step {
          holdings.abandon(step)
        }
      case .verified(let owned, let lost):
        verified = owned
        self.lost = lost ?? []
      }
    }
  }
}

/// The apply journal of a node: one JSON record a line, each on the disk before `append` returns.
package struct ApplyJournal: Sendable {
  package enum Failure: Error, Hashable, Sendable, CustomStringConvertible {
    case unwritable(path: String, errno: Int32)
    /// The file is there, and this user may not read it.
    case unreadable(path: String, errno: Int32)
    /// What is there is nothing that a node writes, for example a pipe.
    case odd(path: String, reason: String)
    /// A line before the last is not a record, or not one that may stand there: the file was changed by something else.
    case corrupt(path: String, line: Int)
    /// The verified state is not what was written: the file was changed by something else.
    case damaged(path: String)
    /// The record of a service is not what was written: a process may run that nobody looks after.
    case damagedService(path: String)

    init(reading failure: AtomicFile.Failure) {
      self =
        failure.instead == nil
        ? .unreadable(path: failure.path, errno: failure.errno) : .odd(path: failure.path, reason: failure.reason)
    }

    /// Stable.
    package var code: String {
      switch self {
      case .unwritable: "records_unwritable"
      case .unreadable: "records_unreadable"
      case .odd, .corrupt, .damaged, .damagedService: "records_damaged"
      }
    }

    package var description: String {
      switch self {
      case .unwritable(let path, let code): "\(path) cannot be written: \(String(cString: strerror(code)))"
      case .unreadable(let path, let code):
        "\(path) cannot be read: \(String(cString: strerror(code))); give it to the agent's user"
      case .odd(let path, let reason):
        "\(path): \(reason); see who put it there, and remove it to go on without that record"
      case .corrupt(let path, let line):
        "\(path):\(line) is not a journal record that may stand there; look at the GPUs, then remove the file to start from the last "
          + "verified state"
      case .damaged(let path):
        "\(path) is not the verified state that was written there; restore it from a copy, or remove it: what stands on "
          + "the GPUs then counts as somebody else's until a plan takes it over with --adopt"
      case .damagedService(let path):
        "\(path) is not the record of a service that was written there; end the process with PARVA_SERVICE in its "
          + "environment that no other record names, which after a reboot is none, then remove the file"
      }
    }
  }

  package let path: String
  /// For tests whose file has no name of its own.
  var followsLinks = false

  package init(path: String) { self.path = path }

  /// All whole records. A last line that a crash cut short never counted and is left out.
  package func records() throws(Failure) -> [JournalRecord] {
    guard let data = try contents() else { return [] }
    var records: [JournalRecord] = []
    let lines = data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    // What follows the last newline is empty in a whole file and cut short in a torn one.
    for (index, line) in lines.dropLast().enumerated() {
      guard let record = try? JSONDecoder().decode(JournalRecord.self, from: Data(line)) else {
        throw .corrupt(path: path, line: index + 1)
      }
      records.append(record)
    }
    return records
  }

  private func contents() throws(Failure) -> Data? {
    do throws(AtomicFile.Failure) {
      return try AtomicFile.read(path, followsLinks: followsLinks)
    } catch {
      throw Failure(reading: error)
    }
  }

  /// The apply that did not come to its end; nil where there is none. Records that contradict each other are no journal.
  package func unfinished() throws(Failure) -> UnfinishedApply? {
    let records = try records()
    if let line = UnfinishedApply.contradiction(in: records) { throw .corrupt(path: path, line: line) }
    return UnfinishedApply(records)
  }

  package func append(_ record: JournalRecord) throws(Failure) {
    guard var line = try? WireWriter.json(record) else { throw .unwritable(path: path, errno: EINVAL) }
    line.append(UInt8(ascii: "\n"))
    try write(line, flags: O_APPEND)
  }

  /// Empties the journal: what it said is in the verified state by now.
  package func clear() throws(Failure) { try write(Data(), flags: O_TRUNC) }

  /// Drops a torn last line, so that the next record starts on a line of its own. The file is cut and never written anew: a
  /// death in between leaves all whole records.
  package func trim() throws(Failure) {
    guard let data = try contents(), let last = data.last, last != UInt8(ascii: "\n")
    else { return }
    let whole = data.lastIndex(of: UInt8(ascii: "\n")).map { data.distance(from: data.startIndex, to: $0) + 1 } ?? 0
    let descriptor = try opened(O_WRONLY)
    defer { close(descriptor) }
    if ftruncate(descriptor, whole) != 0 || fdatasync(descriptor) != 0 {
      throw .unwritable(path: path, errno: errno)
    }
  }

  private func opened(_ flags: Int32) throws(Failure) -> Int32 {
    do throws(AtomicFile.Failure) {
      return try AtomicFile.openRegular(path, flags, followsLinks: followsLinks)
    } catch {
      if error.instead != nil { throw Failure(reading: error) }
      throw .unwritable(path: path, errno: error.errno)
    }
  }

  private func write(_ data: Data, flags: Int32) throws(Failure) {
    let isNew = access(path, F_OK) != 0
    let descriptor = try opened(O_WRONLY | O_CREAT | flags)
    defer { close(descriptor) }
    if isNew { AtomicFile.giveToOwnerOfFolder(descriptor, path) }
    var left = data[...]
    while !left.isEmpty {
      let written = left.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if written < 0 && errno == EINTR { continue }
      guard written > 0 else { throw .unwritable(path: path, errno: errno) }
      left = left.dropFirst(written)
    }
    if fdatasync(descriptor) != 0 { throw .unwritable(path: path, errno: errno) }
    // The name of a new file is on the disk only with its folder.
    if isNew { AtomicFile.syncFolder(of: path) }
  }
}
