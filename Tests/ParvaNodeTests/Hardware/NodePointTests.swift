import Foundation
import Glibc
import Logging
import ParvaWire
import Testing

@testable import ParvaNode

/// The points of docs/hardware.md that no driver is needed for, and what belongs to them.
@Suite(.blocking) struct NodePointTests {
  @Test("point 14: a session of another process with the dead leader's pid is not the service's")
  func aPidThatCameBack() throws {
    let proc = scratchDirectory()
    defer { try? FileManager.default.removeItem(at: proc) }
    func process(_ pid: Int, session: Int, start: Int, environment: String) throws {
      let folder = proc.appendingPathComponent("\(pid)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      let fields = ["S", "1", "\(session)", "\(session)"] + Array(repeating: "0", count: 15) + ["\(start)", "0"]
      try "\(pid) (a b) \(fields.joined(separator: " "))\n".write(
        to: folder.appendingPathComponent("stat"), atomically: true, encoding: .utf8)
      try Data(environment.utf8).write(to: folder.appendingPathComponent("environ"))
    }
    let leader = ProcessIdentity(pid: 500, startTicks: 100)
    func members() -> Set<Int> {
      Set(ProcessTable.members(of: leader, variable: "PARVA_SERVICE=t", proc: proc.path).map(\.pid))
    }
    try process(501, session: 500, start: 120, environment: "PARVA_SERVICE=t\0")
    try process(502, session: 500, start: 130, environment: "A=1\0")
    try process(503, session: 503, start: 130, environment: "A=1\0PARVA_SERVICE=t\0")
    // Alive or gone, the leader's session is the service's.
    #expect(members() == [501, 502, 503])
    try process(500, session: 500, start: 100, environment: "PARVA_SERVICE=t\0")
    #expect(members() == [500, 501, 502, 503])
    // Somebody else leads a session of that number now.
    try process(500, session: 500, start: 900, environment: "B=1\0")
    #expect(members() == [501, 503])
  }

  /// A file that can be cut and not written to: what is written anew is lost.
  @Test("point 15: a torn journal is cut and never written anew") func aTornJournalIsCut() throws {
    typealias Create = @convention(c) (UnsafePointer<CChar>, UInt32) -> Int32
    let symbol = try #require(dlsym(UnsafeMutableRawPointer(bitPattern: 0), "memfd_create"))
    let allowSealing: UInt32 = 2
    let descriptor = unsafeBitCast(symbol, to: Create.self)("journal", allowSealing)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    let begin = JournalRecord.begin(
      JournalBegin(
        bootID: "boot", wanted: NodeAssignment(revision: 1, gpus: []), base: [], holdings: Holdings(), steps: []))
    var journal = ApplyJournal(path: "/proc/self/fd/\(descriptor)")
    journal.followsLinks = true
    try journal.append(begin)
    let torn = "{\"star"
    lseek(descriptor, 0, SEEK_END)
    #expect(write(descriptor, torn, torn.utf8.count) == torn.utf8.count)
    let (addSeals, sealWrite): (Int32, Int32) = (1033, 8)
    #expect(fcntl(descriptor, addSeals, sealWrite) == 0)
    try journal.trim()
    #expect(try journal.records() == [begin])
  }

  @Test func anErrorOfALostGPUIsCountedAsItsOwn() throws {
    let node = try SimulatedNode(["A100-80GB", "A100-80GB"])
    let feed = try #require(try node.driver.faults())
    try node.setFaults(["lose nvmlDeviceGetName 1 1"])
    _ = try node.driver.observe()
    try "1 79 -1 -1\n".write(
      to: node.directory.appendingPathComponent("events"), atomically: true, encoding: .utf8)
    #expect(try feed.next(within: 60_000) == GPUFault(gpu: SimulatedNode.uuid(1), xid: 79))
  }

  @Test(.timeLimit(.minutes(10))) func aDriverThatFailsAtTheStartIsAskedForErrorsAgain() async throws {
    let node = try SimulatedNode(["A100-80GB"])
    try node.setFaults(["fail nvmlEventSetCreate 1 2 999"])
    let (faults, told) = AsyncStream<Void>.makeStream()
    let clock = ManualClock()
    let watch = FaultWatch(driver: node.driver, clock: clock, logger: Logger(label: "test")) { told.yield() }
    watch.start()
    #expect(watch.documents == nil)
    let running = Task { await watch.run() }
    for second in [5, 10] {
      await clock.untilAwaited(.seconds(second))
      clock.advance(to: .seconds(second))
    }
    while watch.documents == nil { await Task.yield() }
    try "0 79 -1 -1\n".write(
      to: node.directory.appendingPathComponent("events"), atomically: true, encoding: .utf8)
    for await _ in faults.prefix(1) {}
    running.cancel()
    await running.value
    #expect(watch.documents?.map(\.xid) == [79])
  }
}
