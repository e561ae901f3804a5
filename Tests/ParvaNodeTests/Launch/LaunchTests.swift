import Foundation
import Glibc
import ParvaHTTP
import ParvaWire
import Testing

@testable import ParvaNode

@Suite struct LaunchTests {
  struct Answer: Sendable {
    var status: Int
    var body: String
    var probe: Health
  }

  @Test(arguments: [
    Answer(status: 200, body: "ok", probe: .healthy(inFlight: nil)),
    Answer(status: 204, body: "", probe: .healthy(inFlight: nil)),
    Answer(status: 200, body: #"{"inFlight": 3}"#, probe: .healthy(inFlight: 3)),
    Answer(status: 200, body: #"{"inFlight": 1.5}"#, probe: .healthy(inFlight: nil)),
    Answer(status: 200, body: #"{"inFlight": "3"}"#, probe: .healthy(inFlight: nil)),
    Answer(status: 503, body: #"{"inFlight": 0}"#, probe: .unhealthy("the health endpoint answers 503", inFlight: 0)),
    Answer(status: 302, body: "", probe: .unhealthy("the health endpoint answers 302", inFlight: nil)),
  ])
  func anAnswerTellsHealthAndWhatIsUnderWay(_ answer: Answer) {
    let response = HTTPResponse(status: answer.status, contentType: "application/json", body: Data(answer.body.utf8))
    #expect(HealthProbe.verdict(response) == answer.probe)
  }

  @Test func aLogIsTurnedOverUnderItsWriter() throws {
    let directory = scratchDirectory()
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let path = directory.appendingPathComponent("log").path
    let log = LogFile(path: path, limit: 8192, kept: 2)
    let writer = try log.open()
    defer { close(writer) }
    for round in 0..<5 {
      let line = String(repeating: "\(round)", count: 99) + "\n"
      for _ in 0..<200 { #expect(write(writer, line, line.utf8.count) == line.utf8.count) }
      log.rotateIfNeeded()
      #expect(LogTail.lastLine(path) == nil)
    }
    let line = "after\u{1b}[31m\tall"
    #expect(write(writer, line, line.utf8.count) == line.utf8.count)
    #expect(LogTail.lastLine(path) == "after [31m all")
    let names = try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted()
    #expect(names == ["log", "log.1", "log.2"])
    #expect(LogTail.lastLine(path + ".1") == String(repeating: "4", count: 99))
    let sizes = try names.map { try Data(contentsOf: directory.appendingPathComponent($0)).count }
    #expect(sizes.allSatisfy { $0 <= 8192 })
  }

  @Test func smallLogsStay() throws {
    let directory = scratchDirectory()
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let log = LogFile(path: directory.appendingPathComponent("log").path, limit: 1 << 20)
    close(try log.open())
    log.rotateIfNeeded()
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["log"])
  }

  @Test func logsOfWhatIsGoneAreKeptForAWhile() throws {
    let directory = scratchDirectory()
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    func make(_ name: String, age: Double) throws {
      let path = directory.appendingPathComponent(name).path
      try "line\n".write(toFile: path, atomically: true, encoding: .utf8)
      try FileManager.default.setAttributes(
        [.modificationDate: Date(timeIntervalSinceNow: -age)], ofItemAtPath: path)
    }
    for (name, age) in [
      ("server-a-0.log", 1000.0), ("server-b-0.log", 30), ("server-b-0.log.1", 2000), ("server-c-0.log", 20),
      ("server-d-0.log", 40), ("other", 5000),
    ] { try make(name, age: age) }
    try FileManager.default.createDirectory(
      at: directory.appendingPathComponent("mps-e.d"), withIntermediateDirectories: true)
    LogFolder(path: directory.path).prune(keeping: ["server-a-0"], andNewest: 3)
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted() == [
        "mps-e.d", "other", "server-a-0.log", "server-b-0.log", "server-b-0.log.1", "server-c-0.log",
      ])
  }

  @Test func aProcessIsKnownByItsStartAndNotByItsNumber() throws {
    let own = try #require(ProcessIdentity.current(Int(getpid())))
    #expect(own.isAlive)
    #expect(!ProcessIdentity(pid: own.pid, startTicks: own.startTicks + 1).isAlive)
    #expect(ProcessIdentity.current(1 << 22) == nil)
    // Ended and not waited for yet: it can do nothing any more.
    let ends = try Spawn.pipe()
    defer { [ends.read, ends.write].forEach { _ = close($0) } }
    let pid = try Spawn.start("true", [], environment: nil, stdio: [ends.read, ends.write, ends.write])
    try WakePipe().wait(for: [Int(pid)], upTo: .seconds(30))
    #expect(ProcessIdentity.current(Int(pid)) == nil)
    #expect(Spawn.poll(pid) == 0)
    #expect(Spawn.poll(pid) == nil)
  }

  /// Where this machine lets us make groups; what limits they take depends on its controllers.
  @Test func aControlGroupHoldsItsProcessesAndEndsThem() throws {
    let root = URL(fileURLWithPath: "/sys/fs/cgroup").appendingPathComponent(
      FileManager.default.fileExists(atPath: "/sys/fs/cgroup/unified") ? "unified" : "")
    let home = root.appendingPathComponent("parva-test-\(getpid())")
    guard mkdir(home.path, 0o755) == 0 else { return }
    defer { rmdir(home.path) }
    let groups = try ControlGroups(at: home, holdsAgent: false)
    let ends = try Spawn.pipe()
    defer { [ends.read, ends.write].forEach { _ = close($0) } }
    let pid = try Spawn.start("sleep", ["3600"], environment: nil, stdio: [ends.read, ends.write, ends.write])
    let missed = groups.admit(Int(pid), as: "one", limits: LaunchSpec.Limits(memoryMiB: 64, cpus: 0.5))
    #expect(groups.controllers.contains("memory") == !missed.contains("memoryMiB"))
    #expect(groups.pids("one") == [Int(pid)])
    groups.kill("one")
    #expect(Spawn.wait(pid) == 128 + SIGKILL)
    groups.remove("one")
    #expect(groups.pids("one").isEmpty)
  }

  @Test("a server whose queue of connections is full does not answer, and the probe does not wait for the kernel")
  func aFullQueue() async throws {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(listener) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        #expect(bind(listener, $0, size) == 0 && listen(listener, 0) == 0 && getsockname(listener, $0, &size) == 0)
      }
    }
    let probe = HealthProbe(port: Int(in_port_t(bigEndian: address.sin_port)), path: nil)
    let client = HealthProbe.client()
    // The kernel takes a few connections that nobody accepts, and then none.
    var answers: [Health] = []
    repeat {
      answers.append(await probe.ask(client))
    } while answers.last == .healthy(inFlight: nil) && answers.count < 16
    guard case .unhealthy(let reason, _)? = answers.last else {
      Issue.record("\(answers)")
      return
    }
    #expect(reason.contains("takes no connection"))
  }

  @Test("a command that closes its streams and stays is ended at the deadline")
  func aCommandThatStays() throws {
    let result = try ChildCommand.run("/bin/sh", ["-c", "exec >&- 2>&-; exec sleep 1000"], timeout: 0.5)
    #expect(result.timedOut && result.status == 128 + SIGKILL)
  }
}
