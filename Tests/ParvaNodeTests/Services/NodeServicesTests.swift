import Foundation
import Glibc
import ParvaWire
import Synchronization
import Testing

@testable import ParvaNode

/// Real processes, started, watched, adopted and ended.
@Suite(.serialized, .blocking) struct NodeServicesTests {
  @Test func everyProcessGetsItsDeviceItsBatchAndAPortOfItsOwn() throws {
    let bench = try ServiceBench()
    let instance = bench.instance(processes: 2)
    bench.run([instance])
    bench.untilHealthy(3)
    let starts = try bench.starts().sorted { $0.env["WHO"] ?? "" < $1.env["WHO"] ?? "" }
    #expect(starts.map { $0.env["WHO"] } == ["resnet50 0/2", "resnet50 1/2"])
    #expect(starts.allSatisfy { $0.env["BATCH"] == "8" && $0.env["CUDA_VISIBLE_DEVICES"] == "MIG-1-0" })
    let pipes = Set(starts.map { $0.env["CUDA_MPS_PIPE_DIRECTORY"] })
    #expect(pipes == [bench.services.documents[0].pipeDirectory])
    let ports = bench.services.documents.compactMap(\.port)
    #expect(Set(ports).count == 2 && ports.allSatisfy { $0 >= instance.launch?.port ?? 0 })
    #expect(starts.map { Int($0.args[1]) } == ports)
    // The agent's own secrets stay with it.
    #expect(starts.allSatisfy { !$0.env.keys.contains("PARVA_WEBHOOK_SECRET") })
    bench.services.release(exceptFor: ServiceBench.wanted([]))
    #expect(bench.services.documents.isEmpty)
    #expect(starts.allSatisfy { !ServiceBench.isRunning($0.pid) })
  }

  @Test("an instance whose queue is shared gets one server that is told how many model instances to hold, and no MPS")
  func oneServerForASharedQueue() throws {
    let bench = try ServiceBench()
    var instance = bench.instance(processes: 3)
    instance.queue = .shared
    bench.run([instance])
    bench.untilHealthy(1)
    #expect(try bench.starts().map { $0.env["WHO"] } == ["resnet50 0/3"])
    #expect(bench.services.documents.map(\.kind) == ["server"])
    // With a queue for each process there are three and their daemon; the one that was there served another form.
    instance.queue = .perProcess
    bench.run([instance])
    bench.untilHealthy(4)
    bench.services.release(exceptFor: ServiceBench.wanted([]))
  }

  @Test("a server whose port somebody else has taken meanwhile comes back on another")
  func aTakenPortIsLeft() throws {
    let bench = try ServiceBench()
    bench.run([bench.instance()])
    bench.untilHealthy(1)
    let port = try #require(bench.services.documents[0].port)
    // Nothing is started while nobody looks, so that the port is free as soon as its server has ended.
    kill(pid_t(try #require(bench.services.documents[0].pid)), SIGKILL)
    let deadline = ContinuousClock.now + .seconds(60)
    var taken = ListeningSocket(port)
    while taken == nil, ContinuousClock.now < deadline { taken = ListeningSocket(port) }
    defer { taken?.close() }
    try #require(taken != nil)
    bench.until("back") { $0.count == 1 && $0[0].status == "healthy" && $0[0].restarts > 0 }
    #expect(bench.services.documents[0].port ?? 0 > port)
    bench.services.release(exceptFor: ServiceBench.wanted([]))
  }

  @Test("point 5: the limits of servers that live on are written again by the next agent")
  func limitsAreWrittenAgain() throws {
    let groups = scratchDirectory()
    defer { try? FileManager.default.removeItem(at: groups) }
    let bench = try ServiceBench {
      $0.hasDelegatedGroup = true
      $0.groupRoot = groups
    }
    let group = groups.appendingPathComponent("parva-server-MIG-1-0-0")
    try FileManager.default.createDirectory(at: group, withIntermediateDirectories: true)
    func clear() throws {
      for file in ["memory.max", "cpu.max", "cgroup.procs"] {
        try "".write(to: group.appendingPathComponent(file), atomically: true, encoding: .utf8)
      }
    }
    try clear()
    try "memory cpu\n".write(to: groups.appendingPathComponent("cgroup.controllers"), atomically: true, encoding: .utf8)
    try "".write(to: groups.appendingPathComponent("cgroup.subtree_control"), atomically: true, encoding: .utf8)
    try bench.restartAgent()
    var instance = bench.instance()
    instance.launch?.limits = LaunchSpec.Limits(memoryMiB: 64, cpus: 0.5)
    bench.run([instance])
    bench.untilHealthy(1)
    func limits() throws -> [String] {
      try ["memory.max", "cpu.max"].map { try String(contentsOf: group.appendingPathComponent($0), encoding: .utf8) }
    }
    #expect(try limits() == ["\(64 << 20)", "50000 100000"])
    // What handing the controllers back does to them.
    try clear()
    try bench.restartAgent()
    #expect(try limits() == ["\(64 << 20)", "50000 100000"])
  }

  @Test("point 19: what runs on an instance has a user of its own", .enabled(if: geteuid() == 0, "it takes root"))
  func usersOfTheirOwn() throws {
    let bench = try ServiceBench { $0.users = 61_000...61_001 }
    func whoAmI(_ start: Int) -> WantedInstance {
      var instance = bench.instance(at: start)
      instance.launch = LaunchSpec(
        command: "/bin/sh", args: ["-c", "echo \"$(id -u) $(id -g) $(id -G)\"; exec sleep 3600"], stopTimeout: 5)
      return instance
    }
    bench.run([whoAmI(0), whoAmI(4)])
    bench.untilHealthy(2)
    for (start, user) in [(0, 61_000), (4, 61_001)] {
      bench.until("told") { _ in bench.text("state/logs/server-MIG-1-\(start)-0.log") == "\(user) \(user) \(user)\n" }
    }
    // The next agent takes them for what they are, and a third instance finds no user.
    let before = bench.services.documents
    try bench.restartAgent()
    bench.run([whoAmI(0), whoAmI(4), whoAmI(2)])
    bench.untilHealthy(2)
    #expect(bench.services.documents.map(\.pid) == before.map(\.pid))
  }

  private final class Counter: Sendable {
    private let rings = Mutex(0)
    var count: Int { rings.withLock { $0 } }
    func ring() { rings.withLock { $0 += 1 } }
  }

  /// Without a port, being there is being healthy: nothing here depends on how fast a probe is answered.
  @Test("a change of a service's status is told once, with its time")
  func changesAreTold() throws {
    let told = Counter()
    let bench = try ServiceBench { $0.onChange = { told.ring() } }
    var instance = bench.instance()
    instance.launch = LaunchSpec(command: "/bin/sleep", args: ["3600"], stopTimeout: 5)
    bench.run([instance])
    bench.untilHealthy(1)
    let (first, atFirst) = (bench.services.documents, told.count)
    #expect(atFirst > 0)
    for _ in 0..<5 { bench.services.tick() }
    #expect(bench.services.documents == first && told.count == atFirst)
    let since = try #require(first[0].since)
    let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
    #expect(try style.parse(since) <= Date())
    kill(pid_t(try #require(first[0].pid)), SIGKILL)
    bench.until("restarted") { $0[0].status == "healthy" && $0[0].pid != first[0].pid }
    let atSecond = told.count
    #expect(atSecond > atFirst)
    #expect(try style.parse(try #require(bench.services.documents[0].since)) >= style.parse(since))
    bench.services.release(exceptFor: ServiceBench.wanted([]))
    #expect(bench.services.documents.isEmpty && told.count > atSecond)
  }

  @Test func aCrashIsRestartedAndItsLastWordsAreShown() throws {
    let bench = try ServiceBench()
    bench.run([bench.instance()])
    bench.untilHealthy(1)
    let first = try #require(bench.services.documents[0].pid)
    kill(pid_t(first), SIGKILL)
    bench.until("restarted") { $0[0].restarts == 1 && $0[0].status == "healthy" && $0[0].pid != first }
    try bench.write("crash", "")
    kill(pid_t(try #require(bench.services.documents[0].pid)), SIGKILL)
    bench.until("given up") { $0[0].status == "failed" }
    #expect(bench.services.documents[0].message == "ended with status 1: SIMULATED: out of memory")
  }

  @Test func aCommandThatIsNotThereIsNamed() throws {
    let bench = try ServiceBench()
    var instance = bench.instance()
    instance.launch?.command = "/nowhere/server"
    bench.run([instance])
    bench.until("given up") { $0[0].status == "failed" }
    let message = bench.services.documents[0].message ?? ""
    #expect(message.contains("127") && message.contains("/nowhere/server"))
    instance.launch?.workdir = "/nowhere"
    bench.run([instance])
    bench.until("given up") { $0.first?.message?.contains("cannot be started") == true }
  }

  @Test func anUnhealthyServerIsRestarted() throws {
    let bench = try ServiceBench()
    bench.run([bench.instance(stopTimeout: 0.1)])
    bench.untilHealthy(1)
    try bench.write("unhealthy", "")
    bench.until("unhealthy") { $0[0].status == "unhealthy" }
    #expect(bench.services.documents[0].message == "the health endpoint answers 503")
    bench.until("restarted") { $0[0].restarts > 0 }
    try bench.remove("unhealthy")
    bench.untilHealthy(1)
  }

  @Test func aServerIsDrainedBeforeItsInstanceGoes() throws {
    let bench = try ServiceBench()
    bench.run([bench.instance()])
    bench.untilHealthy(1)
    try bench.write("in-flight", "3")
    let pid = bench.services.documents[0].pid
    let services = bench.services
    let directory = bench.directory
    let watched = DispatchQueue(label: "watch")
    watched.async {
      // The request ends only after the server was told to go and was seen to be waited for.
      while services.documents.first?.message != "3 requests under way" { usleep(2000) }
      #expect(ServiceBench.isRunning(pid))
      try? "0".write(to: directory.appendingPathComponent("in-flight"), atomically: true, encoding: .utf8)
    }
    bench.services.release(exceptFor: ServiceBench.wanted([]))
    watched.sync {}
    #expect(!ServiceBench.isRunning(pid))
    #expect(bench.services.documents.isEmpty)
  }

  /// The deadline is an hour away: only the answer that nothing is under way can end this.
  @Test func aServerWithNothingLeftToDoIsNotWaitedFor() throws {
    let bench = try ServiceBench()
    bench.run([bench.instance(words: ["stubborn"])])
    bench.untilHealthy(1)
    let pid = bench.services.documents[0].pid
    bench.services.release(exceptFor: ServiceBench.wanted([]))
    #expect(!ServiceBench.isRunning(pid))
  }

  @Test func theDeadlineEndsEveryProcessOfTheServer() throws {
    let bench = try ServiceBench()
    try bench.write("in-flight", "1")
    bench.run([bench.instance(words: ["stubborn", "forks"], stopTimeout: 0.2)])
    bench.untilHealthy(1)
    let child = try #require(Int(bench.text("child")))
    #expect(bench.services.pids == [child, try #require(bench.services.documents[0].pid)])
    bench.services.release(exceptFor: ServiceBench.wanted([]))
    #expect(!ServiceBench.isRunning(child))
    #expect(bench.services.pids.isEmpty)
  }

  @Test func whatStaysIsLeftAlone() throws {
    let bench = try ServiceBench()
    let (kept, gone) = (bench.instance(at: 0), bench.instance(at: 4))
    bench.run([kept, gone])
    bench.untilHealthy(2)
    let before = bench.services.documents[0]
    bench.services.release(exceptFor: ServiceBench.wanted([kept]))
    #expect(bench.services.documents == [before])
    bench.run([kept])
    bench.untilHealthy(1)
    #expect(bench.services.documents == [before])
    // Another batch size is another command line.
    var changed = kept
    changed.batch = 16
    bench.services.release(exceptFor: ServiceBench.wanted([changed]))
    #expect(bench.services.documents.isEmpty)
    bench.run([changed])
    bench.untilHealthy(1)
    #expect(bench.services.documents[0].pid != before.pid)
  }

  @Test func aRemadeInstanceGetsNewProcesses() throws {
    let bench = try ServiceBench()
    let instance = bench.instance()
    bench.run([instance])
    bench.untilHealthy(1)
    let before = bench.services.documents[0].pid
    bench.run([instance], life: 2)
    bench.until("moved") { $0.count == 1 && $0[0].uuid == "MIG-2-0" && $0[0].status == "healthy" }
    #expect(!ServiceBench.isRunning(before))
  }

  @Test func theNextAgentAdoptsWhatRunsAndStartsNothingTwice() throws {
    let bench = try ServiceBench()
    let instance = bench.instance(processes: 2)
    bench.run([instance])
    bench.untilHealthy(3)
    let before = bench.timeless
    for _ in 0..<2 {
      try bench.restartAgent()
      #expect(bench.services.pids.isSuperset(of: before.compactMap(\.pid)))
      bench.run([instance])
      bench.untilHealthy(3)
      #expect(bench.timeless == before)
    }
    #expect(try bench.starts().count == 2)
    // It watches them as its own.
    kill(pid_t(try #require(before[1].pid)), SIGKILL)
    bench.until("restarted") { $0[1].restarts == 1 && $0[1].status == "healthy" }
    #expect(bench.services.documents[1].port == before[1].port)
  }

  @Test func whatDiedWithTheAgentIsStartedAndItsChildrenEndFirst() throws {
    let bench = try ServiceBench()
    let instance = bench.instance(words: ["forks"])
    bench.run([instance])
    bench.untilHealthy(1)
    let child = try #require(Int(bench.text("child")))
    let first = try #require(bench.services.documents[0].pid)
    // The agent is away when the server dies: nobody takes note.
    kill(pid_t(first), SIGKILL)
    var status: Int32 = 0
    waitpid(pid_t(first), &status, 0)
    try bench.restartAgent()
    bench.run([instance])
    bench.untilHealthy(1)
    #expect(!ServiceBench.isRunning(child))
    #expect(try bench.starts().count == 2)
  }

  @Test func aPIDThatIsSomebodyElsesNowIsNotTouched() throws {
    let bench = try ServiceBench()
    let instance = bench.instance()
    bench.run([instance])
    bench.untilHealthy(1)
    let store = bench.services.processes.store
    var record = try #require(store.records().first)
    let server = try #require(record.process)
    // As after a long time away: the number has come round to another process.
    record.process?.identity.startTicks -= 1
    try store.save(record.spec, process: record.process, restarts: 0)
    try bench.restartAgent()
    #expect(bench.services.documents[0].status == "starting")
    // Its token gives the process away as ours all the same, so it ends before another is started.
    bench.run([instance])
    bench.untilHealthy(1)
    #expect(!server.identity.isAlive)
    record.process?.identity = try #require(ProcessIdentity.current(Int(getpid())))
    record.process?.identity.startTicks += 1
    record.process?.token = "nobody"
    #expect(record.process?.members == [])
  }

  @Test func aRecordOfAnEarlierBootNamesNoProcess() throws {
    let bench = try ServiceBench()
    bench.run([bench.instance()])
    bench.untilHealthy(1)
    let directory = bench.services.processes.store.directory
    #expect(try ServiceStore(directory: directory, bootID: "boot").records().map { $0.process == nil } == [false])
    #expect(try ServiceStore(directory: directory, bootID: "next").records().map { $0.process == nil } == [true])
  }

  /// A restart of the machine ends every process and every device; the agent first applies the plan again.
  @Test func afterARebootNothingStartsOnADeviceThatIsGone() throws {
    let bench = try ServiceBench()
    let instance = bench.instance()
    bench.run([instance])
    bench.untilHealthy(1)
    let first = pid_t(try #require(bench.services.documents[0].pid))
    kill(first, SIGKILL)
    var status: Int32 = 0
    waitpid(first, &status, 0)
    try bench.restartAgent(bootID: "next")
    bench.services.release(exceptFor: ServiceBench.wanted([instance]))
    bench.services.tick()
    #expect(try bench.starts().count == 1)
    bench.run([instance], life: 2)
    bench.until("running on the new device") { documents in
      documents.count == 1 && documents[0].uuid == "MIG-2-0" && documents[0].status == "healthy"
    }
    #expect(
      try bench.starts().map { $0.env["CUDA_VISIBLE_DEVICES"] }.sorted { $0 ?? "" < $1 ?? "" } == [
        "MIG-1-0", "MIG-2-0",
      ])
  }

  @Test func aProgramBeginsOnlyAfterItsRecord() throws {
    let bench = try ServiceBench()
    let output = try LogFile(path: bench.directory.appendingPathComponent("log").path).open()
    defer { close(output) }
    let marker = bench.directory.appendingPathComponent("begun").path
    let held = try Spawn.startGated(
      "touch", [marker], environment: ["PATH": "/usr/bin:/bin"], output: output, workdir: nil)
    held.abandon()
    #expect(!FileManager.default.fileExists(atPath: marker))
    let begun = try Spawn.startGated(
      "touch", [marker], environment: ["PATH": "/usr/bin:/bin"], output: output, workdir: nil)
    begun.open()
    #expect(Spawn.wait(begun.pid) == 0)
    #expect(FileManager.default.fileExists(atPath: marker))
  }

  @Test func portsInUseArePassedOver() throws {
    let bench = try ServiceBench()
    var (first, second) = (bench.instance(at: 0), bench.instance(at: 4))
    second.launch?.port = first.launch?.port
    bench.run([first])
    bench.untilHealthy(1)
    // Another node's server on the same machine: its record is not ours.
    let other = try ServiceBench()
    second.launch?.args?[0] = other.directory.path
    other.run([second])
    other.untilHealthy(1)
    let base = try #require(first.launch?.port)
    #expect(try #require(other.services.documents[0].port) > base)
    first.launch?.port = nil
  }
}

/// Somebody else's listening socket on 127.0.0.1.
private struct ListeningSocket {
  private let descriptor: Int32

  /// Nil where it cannot be had.
  init?(_ port: Int) {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var on: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(port)).bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    let code = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard code == 0, listen(descriptor, 1) == 0 else {
      close()
      return nil
    }
  }

  func close() { Glibc.close(descriptor) }
}
