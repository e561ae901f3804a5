import Foundation
import ParvaWire
import Testing

@testable import ParvaNode

/// The MPS daemon of an instance, with a stand-in for NVIDIA's program.
@Suite(.serialized, .blocking) struct MPSTests {
  private static func shared(_ settings: MPSSettings? = nil, processes: Int = 2) -> WantedInstance {
    WantedInstance(profileID: 9, start: 0, processes: processes, mps: settings)
  }

  @Test func oneDaemonServesEachSharedDevice() throws {
    let bench = try ServiceBench()
    var other = Self.shared()
    other.start = 4
    bench.run([Self.shared(), other, WantedInstance(profileID: 19, start: 3, processes: 1)])
    bench.untilHealthy(2)
    let folders = bench.services.documents.compactMap(\.pipeDirectory)
    #expect(Set(folders).count == 2)
    #expect(folders.allSatisfy { $0.utf8.count <= MPSPlan.pathLimit })
    let pids = bench.services.documents.map(\.pid)
    bench.services.release(exceptFor: ServiceBench.wanted([]))
    #expect(bench.services.documents.isEmpty)
    #expect(pids.allSatisfy { !ServiceBench.isRunning($0) })
    #expect(folders.allSatisfy { !FileManager.default.fileExists(atPath: $0) })
    // It was told to quit and did, rather than being killed.
    #expect(bench.text("state/logs/mps-MIG-1-0.d/control.log").contains("Exit"))
  }

  @Test func settingsAreReadBack() throws {
    let bench = try ServiceBench()
    bench.run([Self.shared(MPSSettings(activeThreadPercentage: 37.5, pinnedMemoryLimitMiB: 4096))])
    bench.untilHealthy(1)
    let control = bench.services.processes.launches.mps.control("MIG-1-0", base: bench.services.processes.inherited)
    #expect(throws: Never.self) {
      try control.configure(MPSSettings(activeThreadPercentage: 50, pinnedMemoryLimitMiB: 1024))
    }
  }

  @Test func aSettingThatIsNotTakenIsNamed() throws {
    let bench = try ServiceBench()
    try FileManager.default.createDirectory(
      at: bench.directory.appendingPathComponent("run/mps"), withIntermediateDirectories: true)
    try bench.write("run/mps/faults", "no-limit")
    bench.run([Self.shared(MPSSettings(pinnedMemoryLimitMiB: 4096))])
    bench.until("named") { $0[0].message?.contains("the pinned memory limit") == true }
    #expect(bench.services.documents[0].status == "starting")
    try bench.write("run/mps/faults", "")
    bench.untilHealthy(1)
  }

  @Test func aDaemonThatCrashesIsRestartedAndItsServersWithIt() throws {
    let bench = try ServiceBench()
    bench.run([bench.instance(processes: 2)])
    bench.untilHealthy(3)
    let before = bench.services.documents
    kill(pid_t(try #require(before[0].pid)), SIGKILL)
    bench.until("all anew") { documents in
      documents.allSatisfy { $0.status == "healthy" } && zip(documents, before).allSatisfy { $0.pid != $1.pid }
    }
    #expect(bench.services.documents.map(\.restarts) == [1, 0, 0])
  }

  @Test func aDaemonThatDoesNotStartShowsItsLogAndHoldsItsServersBack() throws {
    let bench = try ServiceBench()
    try FileManager.default.createDirectory(
      at: bench.directory.appendingPathComponent("run/mps"), withIntermediateDirectories: true)
    try bench.write("run/mps/faults", "no-start")
    bench.run([bench.instance(processes: 2)])
    bench.until("given up") { $0[0].status == "failed" }
    #expect(bench.services.documents[0].message?.contains("Failed to start: no-start was asked for") == true)
    #expect(bench.services.documents[1].message == "waits for the MPS daemon")
    #expect(try bench.starts().isEmpty)
  }

  @Test func aDaemonThatDoesNotQuitIsToldBySignal() throws {
    let bench = try ServiceBench()
    bench.run([Self.shared()])
    bench.untilHealthy(1)
    let pid = bench.services.documents[0].pid
    // Nobody answers behind the socket any more, so the order to quit fails at once.
    let folder = try #require(bench.services.documents[0].pipeDirectory)
    try FileManager.default.removeItem(atPath: folder + "/control")
    bench.services.release(exceptFor: ServiceBench.wanted([]))
    #expect(!ServiceBench.isRunning(pid))
  }

  @Test func theNextAgentAdoptsTheDaemon() throws {
    let bench = try ServiceBench()
    bench.run([Self.shared(MPSSettings(activeThreadPercentage: 50))])
    bench.untilHealthy(1)
    let before = bench.timeless
    try bench.restartAgent()
    bench.run([Self.shared(MPSSettings(activeThreadPercentage: 50))])
    bench.untilHealthy(1)
    #expect(bench.timeless == before)
  }

  @Test("point 16: servers that are no clients of their daemon are shown to be none")
  func serversThatAreNoClients() throws {
    let bench = try ServiceBench()
    try FileManager.default.createDirectory(
      at: bench.directory.appendingPathComponent("run/mps"), withIntermediateDirectories: true)
    try bench.write("run/mps/clients", "1")
    bench.run([bench.instance(processes: 2)])
    func isStranger(_ document: ServiceDocument) -> Bool {
      document.status == "healthy" && document.message?.contains("not among the clients") == true
    }
    bench.until("told apart") { $0.count == 3 && $0.dropFirst().allSatisfy(isStranger) }
    #expect(bench.services.documents[0].message == nil)
    let first = try #require(bench.services.documents[1].pid)
    try bench.write("run/mps/clients", "1\n\(first)")
    bench.until("one is a client") { $0.count == 3 && $0[1].message == nil && isStranger($0[2]) }
  }

  @Test("point 16: more servers than an instance's share of a daemon's clients are refused") func tooManyClients()
    throws
  {
    let node = try SimulatedNode(["A100-80GB"])
    let runner = ApplyRunner(driver: node.driver, store: try NodeStore(directory: node.directory, bootID: "boot"))
    // Profile 9 has three of seven slices, 19 one and 0 all.
    for (revision, (profile, processes, isTaken)) in [
      (19, 6, true), (19, 7, false), (9, 20, true), (9, 21, false), (0, 48, true), (0, 49, false),
    ].enumerated() {
      let instance = WantedInstance(profileID: profile, start: 0, processes: processes)
      let wanted = NodeAssignment(
        revision: revision + 1, gpus: [WantedGPU(uuid: SimulatedNode.uuid(0), instances: [instance])])
      if isTaken {
        #expect(try runner.apply(wanted).isVerified)
      } else {
        guard case .refused(let problems) = try runner.apply(wanted) else {
          Issue.record("\(processes) clients were to share a daemon")
          return
        }
        #expect(problems.map(\.code) == [.tooManyClients])
        #expect(throws: ApplyRefusal.self) { try runner.dryRun(wanted) }
      }
    }
  }

  @Test func aSimulationWithoutMPSSaysSoAndGoesOn() throws {
    let bench = try ServiceBench(mpsControl: "no-such-mps-control")
    bench.run([bench.instance(processes: 2)])
    bench.until("running") { $0.dropFirst().allSatisfy { $0.status == "healthy" } && $0.count == 3 }
    #expect(bench.services.documents[0].status == "absent")
    #expect(bench.services.documents[0].message?.hasPrefix("simulated: no-such-mps-control is not here") == true)
    #expect(bench.services.documents.allSatisfy { !$0.isUnhealthy })
    bench.services.release(exceptFor: ServiceBench.wanted([]))
    #expect(bench.services.documents.isEmpty)
  }

  @Test func hardwareWithoutMPSHoldsItsServersBack() throws {
    let bench = try ServiceBench(simulated: false, mpsControl: "no-such-mps-control")
    bench.run([bench.instance(processes: 2)])
    bench.until("waiting") { $0.count == 3 && $0[1].message == "waits for the MPS daemon" }
    #expect(bench.services.documents[0].message?.contains("--mps-control") == true)
    #expect(try bench.starts().isEmpty)
  }

  @Test(arguments: [
    ("4096M", 4096), ("4G", 4096), ("Device 0: 4096MB", 4096), ("None", nil), ("0", nil), ("", nil),
    ("99999999999999999999M", nil),
  ])
  func amountsAreReadInEveryForm(_ text: String, _ amount: Int?) {
    #expect(MPSControl.mebibytes(text) == amount)
  }
}
