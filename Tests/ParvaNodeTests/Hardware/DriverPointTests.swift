import Foundation
import Logging
import ParvaEngine
import ParvaStandIn
import ParvaWire
import Synchronization
import Testing

@testable import ParvaNode

/// The points of docs/hardware.md that the driver's calls show, each on a stand-in that behaves as NVIDIA's does.
@Suite(.blocking) struct DriverPointTests {
  static func wanted(_ revision: Int, _ places: [(Int, Int)], gpu: Int = 0) -> NodeAssignment {
    NodeAssignment(
      revision: revision,
      gpus: [
        WantedGPU(
          uuid: SimulatedNode.uuid(gpu), instances: places.map { WantedInstance(profileID: $0.0, start: $0.1) })
      ])
  }

  static func runner(
    _ node: SimulatedNode, pause: @escaping @Sendable (Duration) -> Void = { _ in }
  ) throws -> ApplyRunner {
    ApplyRunner(driver: node.driver, store: try NodeStore(directory: node.directory, bootID: "boot"), pause: pause)
  }

  /// Makes these capability nodes as the driver's own tools would; all when none is named.
  static func makeNodes(_ node: SimulatedNode, _ names: [String] = []) throws {
    let root = node.directory.path
    for (name, minor) in DeviceHolders.minors(proc: root + "/proc") where names.isEmpty || names.contains(name) {
      #expect(FileManager.default.createFile(atPath: "\(root)/dev/nvidia-caps/nvidia-cap\(minor)", contents: nil))
    }
  }

  @Test("point 1: without capability nodes a node is seen, has no fault, and changes nothing")
  func withoutCapabilityNodes() throws {
    let node = try SimulatedNode(["A100-80GB"], isGuarded: true)
    let gpu = try node.gpu()
    #expect(gpu.fault == nil && gpu.profiles.count == 7 && gpu.instances.isEmpty)
    guard case .rolledBack(let failure, _) = try Self.runner(node).apply(Self.wanted(1, [(9, 0)])) else {
      Issue.record("an instance was made without the capability")
      return
    }
    #expect(failure.code == "no_permission")
    #expect(failure.detail.contains("parva node prepare --group"))
    try Self.makeNodes(node)
    #expect(try Self.runner(node).apply(Self.wanted(2, [(9, 0)])).isVerified)
    #expect(try node.gpu().instances.map(\.isWhole) == [true])
  }

  @Test("point 1: an instance whose node is missing is shown as unreadable and not touched")
  func withoutTheInstancesNode() throws {
    let node = try SimulatedNode(["A100-80GB"], isGuarded: true)
    try Self.makeNodes(node)
    let runner = try Self.runner(node)
    #expect(try runner.apply(Self.wanted(1, [(9, 0)])).isVerified)
    try FileManager.default.removeItem(at: node.directory.appendingPathComponent("dev/nvidia-caps"))
    try FileManager.default.createDirectory(
      at: node.directory.appendingPathComponent("dev/nvidia-caps"), withIntermediateDirectories: true)
    let observed = try node.driver.observe()
    #expect(observed.gpus.map(\.fault) == [nil])
    #expect(observed.gpus[0].instances.map(\.unreadable) == ["no_permission"])
    guard case .refused(let problems) = try runner.apply(Self.wanted(2, [])) else {
      Issue.record("an instance was changed unseen")
      return
    }
    #expect(problems.map(\.code) == [.permissionMissing])
    try Self.makeNodes(node)
    #expect(try runner.apply(Self.wanted(2, [])).isVerified)
  }

  @Test("point 3: the mode outlives a reboot on Ampere and not on Hopper", arguments: DriverRelease.known)
  func theModeAfterAReboot(_ release: DriverRelease) throws {
    let node = try SimulatedNode(["A100-80GB", "H100-80GB-SXM"], release: release)
    #expect(try node.driver.observe().gpus.map(\.mig?.current) == [true, true])
    try node.reboot()
    #expect(try node.driver.observe().gpus.map(\.mig?.current) == [true, false])
  }

  @Test("point 6: a reset goes through because the driver lets go of its handles first")
  func theDriverLetsGoBeforeAReset() throws {
    let node = try SimulatedNode(["A100-80GB"], migEnabled: false)
    let feed = try #require(try node.driver.faults())
    #expect(try feed.next(within: 0) == nil)
    let outcome = try Self.runner(node).apply(
      Self.wanted(1, [(9, 0)]), options: ApplyPlanner.Options(manageMIGMode: true))
    #expect(outcome.isVerified)
  }

  @Test("point 6: a mode that no reset brings is reported once, and its pending change taken back")
  func aModeThatStaysPending() throws {
    let node = try SimulatedNode(["A100-80GB"], migEnabled: false)
    try node.configure(["resets 0"])
    let pauses = Mutex(0)
    let runner = try Self.runner(node) { _ in pauses.withLock { $0 += 1 } }
    let outcome = try runner.apply(Self.wanted(1, [(9, 0)]), options: ApplyPlanner.Options(manageMIGMode: true))
    guard case .rolledBack(let failure, _) = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(failure.code == "reset_required")
    #expect(failure.detail.contains("activation: reset_required") && failure.detail.contains("reboot"))
    #expect(pauses.withLock { $0 } == 0)
    #expect(try node.gpu().mig == ObservedMIGMode(current: false, pending: false))
  }

  @Test("point 6: when the reset itself fails, both its reason and what the mode waits for are told")
  func aResetThatFails() throws {
    let node = try SimulatedNode(["A100-80GB"], migEnabled: false)
    let driver = try NVMLDriver(path: node.machine.library.path) { (uuid: String) throws(DriverError) in
      throw DriverError(code: "no_permission", call: "nvidia-smi -r", detail: "no reset of \(uuid) by this user")
    }
    let store = try NodeStore(directory: node.directory, bootID: "boot")
    let outcome = try ApplyRunner(driver: driver, store: store, pause: { _ in }).apply(
      Self.wanted(1, [(9, 0)]), options: ApplyPlanner.Options(manageMIGMode: true))
    guard case .rolledBack(let failure, _) = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(failure.code == "no_permission")
    #expect(failure.detail.contains("no reset of") && failure.detail.contains("activation: reset_required"))
    #expect(try node.gpu().mig == ObservedMIGMode(current: false, pending: false))
  }

  @Test("point 6: a pending mode is taken back where the answer to it cannot be read, and one in force stays")
  func whatIsReadBackAfterAMode() throws {
    let node = try SimulatedNode(["A100-80GB"], migEnabled: false)
    // The mode is set, and what it became cannot be read for a while.
    try node.setFaults(["fail nvmlDeviceGetMigMode 2 1 999"])
    let before = try node.driver.observe()
    #expect(before.gpus[0].mig?.current == false)
    let first = try Self.runner(node).apply(
      Self.wanted(1, [(9, 0)]), options: ApplyPlanner.Options(manageMIGMode: true))
    let mode = try #require(try node.gpu().mig)
    #expect(first.isVerified ? mode.isSettledOn : mode == ObservedMIGMode(current: false, pending: false))
    // The reset brings it into force, and what follows fails: it is not turned off again.
    let other = try SimulatedNode(["A100-80GB"], migEnabled: false)
    let driver = InterposingDriver(other.driver, failsAfterReset: true)
    #expect(throws: DriverError.self) { try MIGModeSwitch(driver: driver).enable(SimulatedNode.uuid(0)) }
    #expect(try other.gpu().mig == ObservedMIGMode(current: true, pending: true))
  }

  @Test("an instance that somebody else makes between the look and the create is theirs, also after a restart")
  func aPlaceThatIsTakenMeanwhile() throws {
    for diesOnTheWay in [false, true] {
      let node = try SimulatedNode(["A100-80GB"])
      let driver = InterposingDriver(node.driver) { _ = try? node.create(9, at: 4) }
      let store = try NodeStore(directory: node.directory.appendingPathComponent("s"), bootID: "boot")
      let outcome = try ApplyRunner(driver: driver, store: store, pause: { _ in }).apply(
        Self.wanted(1, [(9, 0), (9, 4)]))
      guard case .rolledBack(let failure, let owned) = outcome else {
        Issue.record("\(outcome)")
        return
      }
      #expect(failure.code == "foreign_instance" && owned.isEmpty)
      let theirs = try #require(try node.gpu().instance(profileID: 9, start: 4))
      #expect(try node.gpu().instances == [theirs])
      if diesOnTheWay {
        // The record as it is when the agent dies on the way back.
        let step = ApplyStep.createInstance(gpu: SimulatedNode.uuid(0), place: InstancePlace(profileID: 9, start: 4))
        let begin = JournalBegin(
          bootID: "boot", wanted: Self.wanted(2, [(9, 4)]), base: [], holdings: Holdings(), steps: [step])
        let left = try #require(UnfinishedApply([.begin(begin), .started(step), .rollback(failure)]))
        #expect(left.holdings.claims.isEmpty)
      }
      #expect(try ApplyRunner(driver: node.driver, store: store).apply(Self.wanted(3, [])).isVerified)
      #expect(try node.gpu().instances == [theirs])
    }
  }

  @Test("what cannot be recorded in the end is not begun") func recordsThatCannotBeKept() throws {
    let node = try SimulatedNode(["A100-80GB"])
    let runner = try Self.runner(node)
    #expect(try runner.apply(Self.wanted(1, [(9, 0)])).isVerified)
    let before = try node.gpu().instances
    let folder = runner.store.directory.path
    // Something in the way of the file that a rename would put in place.
    try FileManager.default.createDirectory(
      atPath: folder + "/verified.json.rehearsal", withIntermediateDirectories: true)
    try Data().write(to: URL(fileURLWithPath: folder + "/verified.json.rehearsal/full"))
    #expect(throws: ApplyJournal.Failure.self) { _ = try runner.apply(Self.wanted(2, [])) }
    #expect(try node.gpu().instances == before)
    try FileManager.default.removeItem(atPath: folder + "/verified.json.rehearsal")
    #expect(try runner.apply(Self.wanted(2, [])).isVerified)
  }

  @Test("pipes and folders among a simulated machine's files make nobody wait")
  func pipesAmongTheFiles() throws {
    let node = try SimulatedNode(["A100-80GB"])
    _ = try node.driver.observe()
    for name in ["processes", "faults", "reset", "silent", "events", "texts"] {
      let path = node.directory.appendingPathComponent(name).path
      for makes in [{ mkfifo($0, 0o600) }, { mkdir($0, 0o700) }] as [@Sendable (String) -> Int32] {
        try? FileManager.default.removeItem(atPath: path)
        #expect(makes(path) == 0)
        #expect(try node.driver.observe().gpus.map(\.fault) == [nil], "\(name)")
      }
    }
  }

  @Test("point 1: a GPU whose instances the user may not see is refused with what mends it")
  func instancesThatMayNotBeSeen() throws {
    let node = try SimulatedNode(["A100-80GB"])
    let runner = try Self.runner(node)
    #expect(try runner.apply(Self.wanted(1, [(9, 0)])).isVerified)
    try node.setFaults(["fail nvmlDeviceGetGpuInstances 1 1000000 4"])
    #expect(try node.driver.observe().gpus.map(\.fault) == ["no_permission"])
    guard case .refused(let problems) = try runner.apply(Self.wanted(2, [])) else {
      Issue.record("what nobody can see was changed")
      return
    }
    #expect(problems.map(\.code) == [.permissionMissing])
    try node.setFaults([])
    #expect(try runner.apply(Self.wanted(3, [])).isVerified)
  }

  @Test("errors that cannot be watched now are watched later") func faultsThatCannotBeWatchedYet() throws {
    let node = try SimulatedNode(["A100-80GB", "A100-80GB"])
    try node.setFaults(["fail nvmlDeviceRegisterEvents 1 1000000 4"])
    expectDriverError("no_permission") { _ = try node.driver.faults() }
    try node.setFaults(["fail nvmlDeviceRegisterEvents 1 1000000 3"])
    #expect(try node.driver.faults() == nil)
    try node.setFaults([])
    #expect(try node.driver.faults() != nil)
  }

  @Test("point 7: an instance made again at its place has the same id and UUID") func theSamePlaceIsTheSameName() throws
  {
    let node = try SimulatedNode(["A100-80GB", "A100-80GB"])
    let first = try node.create(14, at: 2)
    let other = try node.create(14, at: 2, gpu: 1)
    #expect(first.id == other.id && first.uuid != other.uuid)
    try node.driver.destroyCompute(gpu: SimulatedNode.uuid(0), instance: first.id, compute: 0)
    try node.driver.destroyInstance(gpu: SimulatedNode.uuid(0), instance: first.id)
    try node.create(19, at: 5)
    #expect(try node.create(14, at: 2) == first)
  }

  @Test("point 7: what is gone without our doing is no longer ours, though it comes back under its name")
  func aDisappearanceEndsOwnership() throws {
    let node = try SimulatedNode(["A100-80GB"])
    let runner = try Self.runner(node)
    #expect(try runner.apply(Self.wanted(1, [(9, 0), (9, 4)])).isVerified)
    let ours = try #require(try node.gpu().instance(profileID: 9, start: 4))
    try node.driver.destroyCompute(gpu: SimulatedNode.uuid(0), instance: ours.id, compute: 0)
    try node.driver.destroyInstance(gpu: SimulatedNode.uuid(0), instance: ours.id)
    #expect(try runner.disownMissing() == 1)
    let theirs = try node.create(9, at: 4)
    #expect(theirs == ours)
    #expect(try runner.apply(Self.wanted(2, [])).isVerified)
    #expect(try node.gpu().instances == [theirs])
    #expect(try runner.store.verified()?.holdings.owned.isEmpty == true)
  }

  @Test("point 9: a process list that fails is no fault of the GPU, and blocks destroys there")
  func processesThatAreUnknown() throws {
    let node = try SimulatedNode(["A100-80GB"])
    let runner = try Self.runner(node)
    #expect(try runner.apply(Self.wanted(1, [(9, 0)])).isVerified)
    for code in [4, 999] {
      try node.setFaults(["fail nvmlDeviceGetComputeRunningProcesses_v3 1 1000000 \(code)"])
      let gpu = try #require(try node.driver.observe().gpus.first)
      #expect(gpu.fault == nil)
      #expect(
        Set(gpu.instances.flatMap(\.computes).map(\.processesUnknown)) == [code == 4 ? "no_permission" : "unknown"])
      guard case .refused(let problems) = try runner.apply(Self.wanted(2, [])) else {
        Issue.record("an instance went though nobody knew what ran on it")
        return
      }
      #expect(Set(problems.map(\.code)) == [.processesUnknown])
      // What is only added is none of its business.
      #expect(try runner.apply(Self.wanted(3, [(9, 0), (19, 6)])).isVerified)
    }
  }

  @Test("point 9: one reading that fails is read again", arguments: ["nvmlDeviceGetName", "nvmlDeviceGetMigMode"])
  func aReadingThatFailsOnce(_ call: String) throws {
    let node = try SimulatedNode(["A100-80GB"])
    let before = try node.driver.observe()
    try node.setFaults(["fail \(call) 1 1 999", "fail nvmlDeviceGetComputeRunningProcesses_v3 1 1 999"])
    #expect(try node.driver.observe() == before)
    try node.setFaults(["fail \(call) 1 2 999"])
    #expect(try node.driver.observe().gpus.map(\.fault) == ["unknown"])
  }

  @Test("point 10: a silent holder is waited for, 10 to 30 seconds, and a late one costs nothing else")
  func inUseIsWaitedFor() throws {
    let node = try SimulatedNode(["A100-80GB"])
    let waited = Mutex(Duration.zero)
    let runner = try Self.runner(node) { pause in waited.withLock { $0 += pause } }
    #expect(try runner.apply(Self.wanted(1, [(9, 0)])).isVerified)
    let uuid = try #require(try node.gpu().instances.first?.uuid)
    try node.setSilent(["\(uuid) 5000001"])
    guard case .rolledBack(let failure, let owned) = try runner.apply(Self.wanted(2, [])) else {
      Issue.record("an instance in use was destroyed")
      return
    }
    #expect(failure.code == "in_use" && owned.count == 1)
    #expect(failure.detail.contains("DCGM"))
    #expect((Duration.seconds(10)...Duration.seconds(30)).contains(waited.withLock { $0 }))
    // It ends while it is waited for.
    let patient = try Self.runner(node) { _ in try? node.setSilent([]) }
    #expect(try patient.apply(Self.wanted(3, [])).isVerified)
  }

  @Test("point 10: an instance stays in use for a while after its last process died")
  func lateInUse() throws {
    let node = try SimulatedNode(["A100-80GB"])
    try node.configure(["linger 3600000"])
    let made = try node.create(9, at: 0)
    try node.setProcesses(["\(made.uuid ?? "") 5000001 100 C python3"])
    _ = try node.gpu()
    try node.setProcesses([])
    let store = try NodeStore(directory: node.directory, bootID: "boot")
    try store.save(
      NodeStore.Verified(
        wanted: Self.wanted(1, [(9, 0)]),
        holdings: Holdings(owned: [
          OwnedInstance(gpu: SimulatedNode.uuid(0), place: made.place, instance: made.id, uuid: made.uuid)
        ]), bootID: "boot"))
    expectDriverError("in_use") {
      try node.driver.destroyCompute(gpu: SimulatedNode.uuid(0), instance: made.id, compute: 0)
    }
    // Its time is over while it is waited for.
    let runner = ApplyRunner(driver: node.driver, store: store) { _ in try? node.configure(["linger 0"]) }
    #expect(try runner.apply(Self.wanted(2, [])).isVerified)
  }

  @Test("point 10: who holds the capability of an instance is found by the descriptor") func capabilityHolders() throws
  {
    let node = try SimulatedNode(["A100-80GB"], isGuarded: true)
    let proc = node.directory.appendingPathComponent("proc")
    let minor = try #require(DeviceHolders.minors(proc: proc.path, below: "gpu0/gi1/ci0/").first?.minor)
    let folder = proc.appendingPathComponent("77/fd")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try "nv-hostengine\n".write(to: proc.appendingPathComponent("77/comm"), atomically: true, encoding: .utf8)
    try FileManager.default.createSymbolicLink(
      atPath: folder.appendingPathComponent("3").path, withDestinationPath: "/dev/nvidia-caps/nvidia-cap\(minor)")
    let gpu = SimulatedNode.uuid(0)
    #expect(node.driver.holders(gpu: gpu, instance: 1)?.map(\.pid) == [77])
    #expect(node.driver.holders(gpu: gpu, instance: 2)?.isEmpty == true)
    #expect(node.driver.holders(gpu: gpu, instance: nil)?.isEmpty == true)
    let clause = DeviceHolders.clause(node.driver.holders(gpu: gpu, instance: 1))
    #expect(clause.contains("77 (nv-hostengine)") && clause.contains("DCGM"))
  }

  @Test("point 11: process entries of 32 bytes are read as they are written", arguments: DriverRelease.known)
  func wideProcessEntries(_ release: DriverRelease) throws {
    let node = try SimulatedNode(["A100-80GB"], release: release)
    let uuid = try #require(try node.create(0, at: 0).uuid)
    for count in [1, 2, 40] {
      try node.setProcesses((1...count).map { "\(uuid) \(5_000_000 + $0) \($0) C p\($0)" })
      let read = try node.gpu().instances[0].computes[0].processes
      #expect(read.map(\.pid) == (1...count).map { 5_000_000 + $0 })
      #expect(read.map(\.memoryMiB) == (1...count).map { $0 })
    }
  }

  @Test("point 12: a GPU is looked up by UUID once") func handlesAreRemembered() throws {
    let node = try SimulatedNode(["A100-80GB"])
    try node.setFaults(["fail nvmlDeviceGetHandleByUUID 2 1000000 999"])
    #expect(try node.gpu().instances.isEmpty)
    let made = try node.create(9, at: 0)
    #expect(try node.gpu().instances == [made])
  }

  @Test("point 13: handles, profiles and event sets are made anew after a reset and a change of mode")
  func nothingOldIsUsedAfterAReset() throws {
    for product in ["A100-80GB", "H100-80GB-SXM"] {
      let node = try SimulatedNode([product])
      let feed = try #require(try node.driver.faults())
      let events = node.directory.appendingPathComponent("events")
      _ = try node.gpu()
      try node.driver.reset(gpu: SimulatedNode.uuid(0))
      _ = try feed.next(within: 0)
      try "0 79 -1 -1\n".write(to: events, atomically: true, encoding: .utf8)
      #expect(try feed.next(within: 60_000)?.xid == 79)
      if product == "H100-80GB-SXM" {
        _ = try node.driver.setMIGMode(gpu: SimulatedNode.uuid(0), enabled: false)
        #expect(try node.gpu().profiles.isEmpty)
        _ = try node.driver.setMIGMode(gpu: SimulatedNode.uuid(0), enabled: true)
        _ = try feed.next(within: 0)
        try "0 79 -1 -1\n0 31 -1 -1\n".write(to: events, atomically: true, encoding: .utf8)
        #expect(try feed.next(within: 60_000)?.xid == 31)
      }
      #expect(try node.create(9, at: 0).isWhole)
    }
  }

  @Test("point 17: with MIG off no profile is known, and the mode is turned on before the plan is judged")
  func profilesAfterTheMode() throws {
    let node = try SimulatedNode(["H100-80GB-SXM"], migEnabled: false)
    #expect(try node.gpu().profiles.isEmpty && node.gpu().fault == nil)
    let options = ApplyPlanner.Options(manageMIGMode: true)
    guard case .rolledBack(let failure, _) = try Self.runner(node).apply(Self.wanted(1, [(77, 0)]), options: options)
    else {
      Issue.record("a profile that there is none of was taken")
      return
    }
    #expect(failure.code == "profile_unknown")
    let fresh = try SimulatedNode(["H100-80GB-SXM"], migEnabled: false)
    #expect(try Self.runner(fresh).apply(Self.wanted(1, [(15, 0)]), options: options).isVerified)
  }
}

/// The driver, where something happens just before the second instance is made, or a reset ends in a failure.
private final class InterposingDriver: GPUDriver {
  private let driver: any GPUDriver
  private let creates = Mutex(0)
  private let failsAfterReset: Bool
  private let happens: @Sendable () -> Void

  init(_ driver: any GPUDriver, failsAfterReset: Bool = false, happens: @escaping @Sendable () -> Void = {}) {
    self.driver = driver
    self.failsAfterReset = failsAfterReset
    self.happens = happens
  }

  func observe() throws(DriverError) -> ObservedNode { try driver.observe() }
  func observe(gpu: String) throws(DriverError) -> ObservedGPU { try driver.observe(gpu: gpu) }
  func createInstance(gpu: String, profileID: Int, start: Int) throws(DriverError) -> Int {
    let number = creates.withLock { count in
      count += 1
      return count
    }
    if number == 2 { happens() }
    return try driver.createInstance(gpu: gpu, profileID: profileID, start: start)
  }
  func createCompute(gpu: String, instance: Int) throws(DriverError) {
    try driver.createCompute(gpu: gpu, instance: instance)
  }
  func destroyCompute(gpu: String, instance: Int, compute: Int) throws(DriverError) {
    try driver.destroyCompute(gpu: gpu, instance: instance, compute: compute)
  }
  func destroyInstance(gpu: String, instance: Int) throws(DriverError) {
    try driver.destroyInstance(gpu: gpu, instance: instance)
  }
  func setMIGMode(gpu: String, enabled: Bool) throws(DriverError) -> MIGModeChange {
    try driver.setMIGMode(gpu: gpu, enabled: enabled)
  }
  func reset(gpu: String) throws(DriverError) {
    try driver.reset(gpu: gpu)
    if failsAfterReset { throw DriverError(code: "unknown", call: "nvidia-smi -r", detail: "a fault after the reset") }
  }
  func holders(gpu: String, instance: Int?) -> [ObservedProcess]? { driver.holders(gpu: gpu, instance: instance) }
  func faults() throws(DriverError) -> (any GPUFaultFeed)? { try driver.faults() }
}
