import Foundation
import ParvaEngine
import ParvaWire
import Synchronization
import Testing

@testable import ParvaNode

/// What is in the way is named before anything is touched.
@Suite struct PreflightTests {
  private static func gpu(migEnabled: Bool) throws -> ObservedGPU {
    var gpu = ObservedGPU(product: try #require(ProductCatalogue.product(named: "A100-80GB")))
    gpu.mig = ObservedMIGMode(current: migEnabled, pending: migEnabled)
    return gpu
  }

  private static let wanted = NodeAssignment(
    revision: 1, gpus: [WantedGPU(uuid: "GPU-0", instances: [WantedInstance(profileID: 9, start: 0)])])

  /// Persistenced and monitors hold the devices of GPUs whose mode changes all the same: only the driver knows.
  @Test("point 20: a change of mode is tried, and who stands in its way is named after it failed")
  func whoHoldsADeviceWhoseModeIsToChangeIsNamed() throws {
    let directory = scratchDirectory()
    defer { try? FileManager.default.removeItem(at: directory) }
    let driver = MemoryDriver([try Self.gpu(migEnabled: false)])
    driver.state.withLock { $0.holders = [ObservedProcess(pid: 77, name: "dcgm-exporter")] }
    let store = try NodeStore(directory: directory, bootID: "boot")
    let options = ApplyPlanner.Options(manageMIGMode: true)
    let failed = try ApplyRunner(driver: driver, store: store, pause: { _ in }).apply(Self.wanted, options: options)
    guard case .rolledBack(let failure, _) = failed else {
      Issue.record("\(failed)")
      return
    }
    #expect(failure.code == "in_use")
    #expect(failure.detail.contains("77 (dcgm-exporter)") && failure.detail.contains("nvidia-dcgm"))
    // Nothing is left pending for a reset that comes by chance.
    #expect(driver.gpus[0].mig == ObservedMIGMode(current: false, pending: false))
    // A holder that goes while it is tried again is none.
    let ended = ApplyRunner(driver: driver, store: store, pause: { _ in driver.state.withLock { $0.holders = [] } })
    #expect(try ended.apply(Self.wanted, options: options).isVerified)
  }

  /// Monitors hold every device of a working node: only a change of mode minds them.
  @Test func holdersDoNotStandAgainstInstances() throws {
    let directory = scratchDirectory()
    defer { try? FileManager.default.removeItem(at: directory) }
    let driver = MemoryDriver([try Self.gpu(migEnabled: true)])
    driver.state.withLock { $0.holders = [ObservedProcess(pid: 77, name: "dcgm-exporter")] }
    let runner = ApplyRunner(driver: driver, store: try NodeStore(directory: directory, bootID: "boot"))
    #expect(try runner.apply(Self.wanted, options: ApplyPlanner.Options(manageMIGMode: true)).isVerified)
  }

  @Test func aHiddenHolderIsNamedWhenADestroyFails() throws {
    let directory = scratchDirectory()
    defer { try? FileManager.default.removeItem(at: directory) }
    let driver = MemoryDriver([try Self.gpu(migEnabled: true)])
    let runner = ApplyRunner(
      driver: driver, store: try NodeStore(directory: directory, bootID: "boot"), pause: { _ in })
    #expect(try runner.apply(Self.wanted).isVerified)
    driver.state.withLock { state in
      state.holders = [ObservedProcess(pid: 77, name: "nvsm")]
      // Listed nowhere when it is planned, there when it is destroyed.
      state.leaksOnDestroy = true
    }
    guard case .rolledBack(let failure, _) = try runner.apply(NodeAssignment(revision: 2, gpus: [])) else {
      Issue.record("an instance in use was destroyed")
      return
    }
    #expect(failure.code == "in_use")
    #expect(failure.detail.contains("77 (nvsm)"))
  }

  @Test func holdersAreFoundByTheirDescriptors() throws {
    let proc = scratchDirectory()
    defer { try? FileManager.default.removeItem(at: proc) }
    func process(_ pid: Int, _ name: String, _ links: [String]) throws {
      let folder = proc.appendingPathComponent("\(pid)/fd")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      try "\(name)\n".write(to: proc.appendingPathComponent("\(pid)/comm"), atomically: true, encoding: .utf8)
      for (number, link) in links.enumerated() {
        try FileManager.default.createSymbolicLink(
          atPath: folder.appendingPathComponent("\(number)").path, withDestinationPath: link)
      }
    }
    try process(5, "X", ["/dev/null", "/dev/nvidia1"])
    try process(12, "python3", ["/dev/nvidia0", "/dev/nvidiactl"])
    try process(9, "nvidia-smi", ["/dev/nvidia1"])
    try process(10, "other", ["/dev/nvidia10", "socket:[1]"])
    #expect(
      DeviceHolders.processes(minor: 1, proc: proc.path) == [
        ObservedProcess(pid: 5, name: "X"), ObservedProcess(pid: 9, name: "nvidia-smi"),
      ])
    #expect(DeviceHolders.processes(minor: 2, proc: proc.path).isEmpty)
  }
}
