import Foundation
import Glibc
import ParvaTestSupport
import ParvaWire
import Testing

@testable import ParvaNode

/// What lies where a record should: nothing of it may make the node wait, fill its memory, or be taken for no record.
@Suite(.serialized, .blocking, .timeLimit(.minutes(10))) struct OddRecordTests {
  /// Things that are no files of a node, by what makes them at a path.
  static let odd: [(name: String, make: @Sendable (String) -> Int32)] = [
    ("a pipe", { mkfifo($0, 0o600) }), ("a symbolic link", { symlink("/dev/zero", $0) }),
    ("a symbolic link", { symlink("/dev/null", $0) }), ("a symbolic link", { symlink("nothing", $0) }),
    (
      "a file of more than 64 MiB",
      { path in
        let descriptor = open(path, O_WRONLY | O_CREAT, 0o600)
        defer { close(descriptor) }
        return ftruncate(descriptor, 65 << 20)
      }
    ),
  ]

  @Test("a pipe, a device or an endless file as a record is told at once, and nothing is begun on it")
  func oddFiles() throws {
    for (kind, make) in Self.odd {
      for name in ["journal.jsonl", "verified.json", "services/server-x.json"] {
        let node = try SimulatedNode(["A100-80GB"])
        let store = try NodeStore(directory: node.directory.appendingPathComponent("records"), bootID: "boot")
        let services = try ServiceStore(directory: store.directory.appendingPathComponent("services"), bootID: "boot")
        let path = store.directory.appendingPathComponent(name).path
        try #require(make(path) == 0)
        let failure = #expect(throws: ApplyJournal.Failure.self, "\(kind) as \(name)") {
          _ = try services.records()
          _ = try ApplyRunner(driver: node.driver, store: store).apply(DriverPointTests.wanted(1, [(9, 0)]))
        }
        #expect(failure?.code == "records_damaged")
        #expect(failure?.description.contains(kind) == true && failure?.description.contains(path) == true)
        #expect(try node.gpu().instances.isEmpty)
        let question = Doctor.Question(stateDirectory: store.directory.path, runDirectory: "/tmp/parva-odd")
        let finding = Doctor(root: node.directory.path, question).records
        #expect(finding.grade == .stop && finding.mend?.contains(".bad") == true)
      }
    }
  }

  @Test("a record is not written through what lies at the name of its fresh copy, nor the lock taken through a link")
  func writesLeadNowhereElse() throws {
    let directory = scratchDirectory()
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let other = directory.appendingPathComponent("other").path
    try Data("kept".utf8).write(to: URL(fileURLWithPath: other))
    let path = directory.appendingPathComponent("record").path
    let leadsOut: @Sendable (String) -> Int32 = { symlink(other, $0) }
    for (kind, make) in Self.odd + [("a link to a file", leadsOut)] {
      try #require(make(path + ".new") == 0, "\(kind)")
      try AtomicFile.write(Data("new".utf8), to: path)
      #expect(try AtomicFile.read(path) == Data("new".utf8))
      #expect(access(path + ".new", F_OK) != 0)
    }
    try #require(symlink(other, directory.appendingPathComponent("lock").path) == 0)
    let failure = #expect(throws: NodeLock.Failure.self) { _ = try NodeLock.take(in: directory) }
    #expect(failure?.description.contains("a symbolic link") == true)
    #expect(FileManager.default.contents(atPath: other) == Data("kept".utf8))
  }

  @Test("a log in another user's folder is not turned over through a link, and no pipe there holds up the agent")
  func logsLeadNowhereElse() throws {
    let directory = scratchDirectory()
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let other = directory.appendingPathComponent("other")
    let contents = Data(repeating: UInt8(ascii: "x"), count: 64 << 10)
    try contents.write(to: other)
    let path = directory.appendingPathComponent("log").path
    let log = LogFile(path: path, limit: 1024)
    try #require(symlink(other.path, path) == 0)
    log.rotateIfNeeded()
    #expect(LogTail.lastLine(path) == nil)
    #expect(throws: AtomicFile.Failure.self) { _ = try log.open() }
    unlink(path)
    // The place of the older log leads out.
    try contents.write(to: URL(fileURLWithPath: path))
    try #require(symlink(other.path, path + ".1") == 0)
    LogFile(path: path, limit: 1024, kept: 1).rotateIfNeeded()
    #expect(FileManager.default.contents(atPath: other.path) == contents)
    unlink(path)
    try #require(mkfifo(path, 0o600) == 0)
    log.rotateIfNeeded()
    #expect(LogTail.lastLine(path) == nil)
    #expect(throws: AtomicFile.Failure.self) { _ = try log.open() }
  }

  /// Journals whose every line is a record, and that no apply has written.
  private static var contradictions: [(line: Int, records: [JournalRecord])] {
    let step = ApplyStep.createInstance(gpu: SimulatedNode.uuid(0), place: InstancePlace(profileID: 9, start: 0))
    let other = ApplyStep.createInstance(gpu: SimulatedNode.uuid(0), place: InstancePlace(profileID: 9, start: 4))
    let begin = JournalRecord.begin(
      JournalBegin(
        bootID: "boot", wanted: NodeAssignment(revision: 3, gpus: []), base: [], holdings: Holdings(), steps: []))
    let failure = JournalRecord.rollback(ApplyFailure(step: nil, code: "x", detail: "y"))
    return [
      (1, [.started(step)]), (1, [.verified(owned: [], lost: nil)]), (1, [failure]), (1, [.done(step, instance: nil)]),
      (2, [begin, begin]), (3, [begin, .started(step), begin]), (2, [begin, .done(step, instance: nil)]),
      (3, [begin, .started(step), .done(other, instance: nil)]), (3, [begin, failure, failure]),
      (4, [begin, .verified(owned: [], lost: nil), .started(step), begin]),
    ]
  }

  @Test("a journal of records that make no sense together is damaged, not none, and nothing is written over it")
  func contradictingJournals() async throws {
    for (line, records) in Self.contradictions {
      let node = try SimulatedNode(["A100-80GB"])
      let store = try NodeStore(directory: node.directory.appendingPathComponent("records"), bootID: "boot")
      for record in records { try store.journal.append(record) }
      let before = try #require(FileManager.default.contents(atPath: store.journal.path))
      let expected = ApplyJournal.Failure.corrupt(path: store.journal.path, line: line)
      let runner = ApplyRunner(driver: node.driver, store: store)
      #expect(throws: expected) { _ = try store.known() }
      #expect(throws: expected) { _ = try runner.resume() }
      #expect(throws: expected) { _ = try runner.apply(DriverPointTests.wanted(4, [(9, 0)])) }
      let agent = NodeAgent(
        configuration: NodeAgent.Configuration(name: "n1"), driver: node.driver, store: store, simulated: true)
      await #expect(throws: expected) { try await agent.start() }
      #expect(expected.code == "records_damaged")
      #expect(FileManager.default.contents(atPath: store.journal.path) == before)
      #expect(try node.gpu().instances.isEmpty)
    }
  }
}
