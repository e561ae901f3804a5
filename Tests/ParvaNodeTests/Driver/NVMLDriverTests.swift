import Foundation
import Glibc
import ParvaEngine
import ParvaStandIn
import ParvaWire
import Testing

@testable import ParvaNode

@Suite(.blocking) struct NVMLDriverTests {
  @Test(arguments: ProductCatalogue.all.filter(\.hasMIG).map(\.name))
  func everyProductsProfilesAndPlacementsAreReadAsTheTablesSay(_ name: String) throws {
    let product = try #require(ProductCatalogue.product(named: name))
    let gpu = try SimulatedNode([name]).gpu()
    #expect(gpu.mig == ObservedMIGMode(current: true, pending: true))
    #expect(gpu.profiles.map(\.id) == product.profiles.map(\.driverProfileID).sorted())
    for profile in product.profiles {
      let read = try #require(gpu.profile(id: profile.driverProfileID))
      #expect(read.name == profile.name)
      #expect(read.starts == profile.starts)
      #expect(read.size == profile.placementSize)
      #expect(read.computeSlices == profile.computeSlices)
      #expect(read.maxInstances == profile.maxInstances)
    }
  }

  @Test("point 8: the library of R470 lacks what came later, and processes have their instance all the same")
  func functionsThatAreNotThereYet() throws {
    for release in DriverRelease.known {
      let node = try SimulatedNode(["A100-80GB"], release: release)
      let handle = try #require(dlopen(node.machine.library.path, RTLD_NOW | RTLD_LOCAL))
      defer { dlclose(handle) }
      for name in ["nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetGpuInstanceProfileInfoV"] {
        #expect((dlsym(handle, name) == nil) == (release.name == "470"), "\(release.name) \(name)")
      }
      let made = try node.create(9, at: 0)
      try node.setProcesses(["\(made.uuid ?? "") 5000001 2048 C python3"])
      let gpu = try node.gpu()
      #expect(gpu.instances.flatMap(\.computes).flatMap(\.processes).map(\.pid) == [5_000_001], "\(release.name)")
      #expect(gpu.memoryMiB == 81_920 && gpu.processesUnknown == nil, "\(release.name)")
    }
  }

  @Test("point 8: every release gives the same profiles", arguments: DriverRelease.known)
  func olderLibrariesGiveTheSameProfiles(_ release: DriverRelease) throws {
    for product in ["A100-80GB", "A100-40GB", "H100-80GB-SXM", "A30-24GB"] {
      let node = try SimulatedNode([product], release: release)
      let profiles = try node.gpu().profiles
      let newest = try SimulatedNode([product]).gpu().profiles
      // Where the library tells no names, as R470's, they are made as NVIDIA's tools make them.
      #expect(profiles == newest)
      let whole = try node.create(0, at: 0)
      #expect(whole.isWhole && whole.computes.map(\.smCount) == [newest[0].smCount])
    }
  }

  @Test func theStateIsLabelledSimulated() throws {
    let observed = try SimulatedNode(["A100-80GB", "A30-24GB"]).driver.observe()
    #expect(observed.simulated)
    #expect(observed.driverVersion.contains("SIMULATED"))
    #expect(observed.cudaVersion == "12.8")
    #expect(observed.gpus.map(\.board) == ["NVIDIA A100-SXM4-80GB", "NVIDIA A30"])
  }

  @Test func instancesStandWhereTheyWereAskedFor() throws {
    let node = try SimulatedNode(["A100-80GB"])
    for (profile, start) in [(19, 6), (9, 0), (14, 4)] {
      let made = try node.create(profile, at: start)
      #expect(made.profileID == profile && made.start == start && made.isWhole)
      #expect(made.uuid?.hasPrefix("MIG-") == true)
    }
    #expect(try node.gpu().instances.map { [$0.profileID, $0.start] } == [[9, 0], [14, 4], [19, 6]])
  }

  /// The double-memory one-slice instance of Hopper is whole only with its own compute profile.
  @Test func theComputeInstanceTakesAllMultiprocessors() throws {
    let node = try SimulatedNode(["H100-80GB-SXM"])
    let made = try node.create(15, at: 0)
    #expect(made.computes.map(\.smCount) == [26])
    #expect(made.computes.map(\.profileID) == [7])
    #expect(made.isWhole)
  }

  @Test func overlapIsInsufficientResources() throws {
    let node = try SimulatedNode(["A100-80GB"])
    try node.create(9, at: 0)
    expectDriverError("insufficient_resources") { _ = try node.create(19, at: 3) }
    expectDriverError("invalid_argument") { _ = try node.create(14, at: 1) }
    expectDriverError("profile_unknown") { _ = try node.create(77, at: 1) }
  }

  @Test func aRunningProcessKeepsItsInstance() throws {
    let node = try SimulatedNode(["A100-80GB"])
    let made = try node.create(9, at: 4)
    let uuid = try #require(made.uuid)
    try node.setProcesses(["\(uuid) 5000001 2048 C python3", "\(uuid) 5000002 0 M server"])
    #expect(
      try node.gpu().instances[0].computes[0].processes == [
        ObservedProcess(pid: 5_000_001, name: "python3", memoryMiB: 2048),
        ObservedProcess(pid: 5_000_002, name: "server", memoryMiB: 0),
      ])
    let gpu = SimulatedNode.uuid(0)
    expectDriverError("in_use") { _ = try node.driver.destroyCompute(gpu: gpu, instance: made.id, compute: 0) }
    expectDriverError("in_use") { _ = try node.driver.destroyInstance(gpu: gpu, instance: made.id) }
    try node.setProcesses([])
    try node.driver.destroyCompute(gpu: gpu, instance: made.id, compute: 0)
    try node.driver.destroyInstance(gpu: gpu, instance: made.id)
    try node.driver.destroyInstance(gpu: gpu, instance: made.id)
    #expect(try node.gpu().instances.isEmpty)
  }

  @Test func moreProcessesThanTheFirstBufferHoldsAreAllListed() throws {
    let node = try SimulatedNode(["A100-80GB"])
    let uuid = try #require(try node.create(0, at: 0).uuid)
    try node.setProcesses((1...100).map { "\(uuid) \(5_000_000 + $0) 1 C p\($0)" })
    #expect(try node.gpu().instances[0].computes[0].processes.count == 100)
  }

  @Test func idsAreNotPlacements() throws {
    let node = try SimulatedNode(["A100-80GB"])
    let ids = try [6, 2, 0, 5].map { try node.create(19, at: $0).id }
    #expect(ids == [14, 9, 7, 13])
  }

  @Test func instancesOutliveTheLibraryAndEndWithAReboot() throws {
    let node = try SimulatedNode(["A100-80GB", "H100-80GB-SXM"])
    let before = try node.create(9, at: 0)
    let again = try NVMLDriver(path: node.machine.library.path)
    #expect(try again.observe(gpu: SimulatedNode.uuid(0)).instances == [before])
    try node.reboot()
    let gpus = try again.observe().gpus
    #expect(gpus.allSatisfy { $0.instances.isEmpty })
    // Ampere keeps its mode on the board, Hopper only as long as the driver is loaded.
    #expect(gpus.map(\.mig?.current) == [true, false])
    _ = try again.setMIGMode(gpu: SimulatedNode.uuid(1), enabled: true)
    _ = try again.createInstance(gpu: SimulatedNode.uuid(1), profileID: 0, start: 0)
    let after = try node.create(9, at: 0)
    #expect(after == before)
  }

  @Test func ampereWaitsForAResetAndHopperDoesNot() throws {
    let node = try SimulatedNode(["A100-80GB", "H100-80GB-SXM"], migEnabled: false)
    let (ampere, hopper) = (SimulatedNode.uuid(0), SimulatedNode.uuid(1))
    expectDriverError("profile_unknown") { _ = try node.create(9, at: 0) }
    #expect(
      try node.driver.setMIGMode(gpu: hopper, enabled: true).mode == ObservedMIGMode(current: true, pending: true))
    #expect(
      try node.driver.setMIGMode(gpu: ampere, enabled: true).mode == ObservedMIGMode(current: false, pending: true))
    try node.driver.reset(gpu: ampere)
    #expect(try node.gpu(0).mig == ObservedMIGMode(current: true, pending: true))
    try node.create(9, at: 0, gpu: 1)
    #expect(
      try node.driver.setMIGMode(gpu: hopper, enabled: false).mode == ObservedMIGMode(current: true, pending: false))
  }

  @Test func aLostGPUIsNamedAndSparesTheOthers() throws {
    let node = try SimulatedNode(["A100-80GB", "A100-80GB"])
    _ = try node.driver.observe()
    try node.setFaults(["lose nvmlDeviceGetHandleByIndex_v2 1 0"])
    let observed = try node.driver.observe()
    #expect(observed.gpus.map(\.fault) == ["gpu_is_lost", nil])
    #expect(observed.gpus.map(\.uuid) == [SimulatedNode.uuid(0), SimulatedNode.uuid(1)])
    expectDriverError("gpu_is_lost") { _ = try node.create(9, at: 0) }
    try node.create(9, at: 0, gpu: 1)
  }

  @Test func anInjectedFaultStrikesTheNamedCallOnly() throws {
    let node = try SimulatedNode(["A100-80GB"])
    try node.setFaults([
      "fail nvmlDeviceCreateGpuInstanceWithPlacement 2 1 23", "after nvmlGpuInstanceCreateComputeInstance 3 1 10",
    ])
    try node.create(19, at: 0)
    expectDriverError("insufficient_resources") { _ = try node.create(19, at: 1) }
    try node.create(19, at: 1)
    expectDriverError("timeout") { _ = try node.create(19, at: 2) }
    #expect(try node.gpu().instances.map(\.isWhole) == [true, true, true])
  }

  @Test func anAbsentLibraryIsRefusedByName() throws {
    expectDriverError("driver_library_missing") { _ = try NVMLDriver(path: "/nowhere/libnvidia-ml.so.1") }
    expectDriverError("driver_library_missing") { _ = try NVMLDriver(path: "libz.so.1") }
    expectDriverError("driver_library_missing") { _ = try DriverChoice.open(nvmlPath: "/nowhere/libnvidia-ml.so.1") }
  }

  @Test(.enabled(if: (try? NVMLDriver(path: nil)) == nil, "a machine without the driver"))
  func withoutAnyDriverTheRefusalNamesBothWays() throws {
    let error = #expect(throws: DriverError.self) { _ = try DriverChoice.open(smiPath: "/nowhere/nvidia-smi") }
    #expect(error?.code == "no_driver")
    #expect(error?.detail.contains("libnvidia-ml.so.1") == true)
    #expect(error?.detail.contains("/nowhere/nvidia-smi") == true)
  }

  @Test func aMachineIsNamedOrDescribed() throws {
    #expect(try SimulatedMachine.gpus("dgx-a100", node: "a").count == 8)
    #expect(try SimulatedMachine.gpus("A30-24GBx2", node: "a").map(\.product.name) == ["A30-24GB", "A30-24GB"])
    let names = try ["a", "b"].flatMap { try SimulatedMachine.gpus("dgx-h100", node: $0).map(\.uuid) }
    #expect(Set(names).count == 16)
    #expect(throws: SimulatedMachine.Failure.self) { try SimulatedMachine.gpus("dgx-zx81", node: "a") }
  }
}
