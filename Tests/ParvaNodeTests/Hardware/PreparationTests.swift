import Foundation
import Glibc
import ParvaStandIn
import ParvaWire
import Testing

@testable import ParvaNode

@Suite(.blocking) struct PreparationTests {
  private static func permissions(_ path: String) throws -> Int {
    try #require(FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
  }

  @Test("point 1: all nodes that the driver lists are made, and those that administer given to the group")
  func nodesAreMade() throws {
    let node = try SimulatedNode(["A100-80GB"], isGuarded: true)
    let nodes = CapabilityNodes(root: node.directory.path, isSimulated: true)
    #expect(nodes.listed.count == 2 + 32 * 9)
    #expect(try nodes.make(group: getgid()) == nodes.listed.count)
    for one in nodes.listed {
      #expect(nodes.opens(one))
      #expect(try Self.permissions(nodes.path(one)) == (one.isAdministrative ? 0o440 : 0o444))
    }
    // A second time there is nothing to do, and what somebody changed is put right.
    #expect(try nodes.make(group: getgid()) == 0)
    chmod(nodes.path(nodes.listed[0]), 0o400)
    #expect(try nodes.make(group: getgid()) == 1)
    // Who was given access keeps it where nobody is named.
    let other = getgid() + 1
    if geteuid() == 0 {
      let administrative = nodes.listed.count { $0.isAdministrative }
      #expect(try nodes.make(group: other) == administrative)
      #expect(try nodes.make(group: nil) == 0)
      #expect(try nodes.make(group: getgid()) == administrative)
    }
    #expect(
      try ApplyRunner(
        driver: node.driver, store: NodeStore(directory: node.directory.appendingPathComponent("s"), bootID: "boot")
      ).apply(DriverPointTests.wanted(1, [(9, 0)])).isVerified)
  }

  @Test("point 1: the driver is told to leave its nodes alone") func modificationIsTurnedOff() throws {
    let node = try SimulatedNode(["A100-80GB"], isGuarded: true)
    let folder = node.directory.appendingPathComponent("proc/driver/nvidia/capabilities/mig")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    for name in ["config", "monitor"] {
      try "".write(to: folder.appendingPathComponent(name), atomically: true, encoding: .utf8)
    }
    _ = try CapabilityNodes(root: node.directory.path, isSimulated: true).make(group: nil)
    for name in ["config", "monitor"] {
      #expect(try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8) == "DeviceFileModify: 0\n")
    }
  }

  @Test("point 1: a driver that does not take that is told of") func modificationStaysOn() throws {
    let node = try SimulatedNode(["A100-80GB"], isGuarded: true)
    let folder = node.directory.appendingPathComponent("proc/driver/nvidia/capabilities/mig")
    // What is written there is gone at once, as on a driver that does not know it.
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    symlink("/dev/null", folder.appendingPathComponent("config").path)
    var preparation = MachinePreparation()
    preparation.modprobe = nil
    let lines = preparation.run(CapabilityNodes(root: node.directory.path, isSimulated: true)) {
      () throws(DriverError) in node.driver
    }
    #expect(lines.map(\.isFailure) == [true])
    #expect(lines[0].text.contains("DeviceFileModify"))
  }

  @Test("point 1: a machine without the driver is told so") func withoutADriver() throws {
    let empty = scratchDirectory()
    defer { try? FileManager.default.removeItem(at: empty) }
    #expect(throws: CapabilityNodes.Failure.self) {
      _ = try CapabilityNodes(root: empty.path, isSimulated: true).make(group: nil)
    }
  }

  @Test("a simulated machine without capability nodes asks for none, and for no module")
  func simulatedWithoutNodes() throws {
    let node = try SimulatedNode(["A100-80GB"])
    var preparation = MachinePreparation()
    preparation.modprobe = nil
    let lines = preparation.run(CapabilityNodes(root: node.directory.path, isSimulated: true)) {
      () throws(DriverError) in node.driver
    }
    #expect(lines.map(\.isFailure) == [false])
    #expect(lines.allSatisfy { !$0.text.contains("modprobe") && $0.text.contains("+caps") })
  }

  @Test(
    "points 1 and 2: device nodes are made and the module for unified memory is loaded, and a failure to do so is one")
  func devicesAndUnifiedMemory() throws {
    let node = try SimulatedNode(["A100-80GB"], isGuarded: true)
    let nodes = CapabilityNodes(root: node.directory.path, isSimulated: true)
    let program = node.directory.appendingPathComponent("modprobe").path
    var preparation = MachinePreparation()
    // Written by another process: one that was just open for writing here cannot be started while others are being made.
    let script = "#!/bin/sh\\necho \"$*\" >>\"$0.asked\"\\nexit $(cat \"$0.status\")\\n"
    let written = try ChildCommand.run(
      "/bin/sh", ["-c", "printf '\(script)' >\"$1\" && chmod 755 \"$1\"", "sh", program], timeout: 60)
    #expect(written.status == 0)
    preparation.modprobe = program
    let gpus = node.directory.appendingPathComponent("proc/driver/nvidia/gpus")
    for (bus, minor) in [("0000:07:00.0", 1), ("0000:0f:00.0", 0)] {
      let folder = gpus.appendingPathComponent(bus)
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      try "Model: \t\t NVIDIA\nDevice Minor: \t \(minor)\n".write(
        to: folder.appendingPathComponent("information"), atomically: true, encoding: .utf8)
    }
    for (status, fails) in [(0, false), (1, true)] {
      try "\(status)".write(toFile: program + ".status", atomically: true, encoding: .utf8)
      let lines = preparation.run(nodes) { () throws(DriverError) in node.driver }
      #expect(lines.map(\.isFailure) == [fails, fails, false])
      // What -u asks for is unified memory alone.
      let asked = try String(contentsOfFile: program + ".asked", encoding: .utf8)
      #expect(asked == "-c 255 -c 0 -c 1\n-u -c 0\n")
      try FileManager.default.removeItem(atPath: program + ".asked")
    }
    preparation.modprobe = "/nowhere/nvidia-modprobe"
    #expect(preparation.run(nodes) { () throws(DriverError) in node.driver }.map(\.isFailure) == [true, true, false])
  }

  @Test("point 3: the mode is turned on after a boot where it is told to be") func modesAfterABoot() throws {
    let node = try SimulatedNode(["H100-80GB-SXM", "A100-80GB"], migEnabled: false)
    let nodes = CapabilityNodes(root: node.directory.path, isSimulated: true)
    var preparation = MachinePreparation()
    preparation.modprobe = nil
    preparation.migGPUs = ["0", "GPU-none"]
    let first = preparation.run(nodes) { () throws(DriverError) in node.driver }
    #expect(first.map(\.isFailure) == [true, false, false])
    #expect(try node.driver.observe().gpus.map(\.mig?.current) == [true, false])
    preparation.migGPUs = ["all"]
    _ = preparation.run(nodes) { () throws(DriverError) in node.driver }
    #expect(try node.driver.observe().gpus.map(\.mig?.current) == [true, true])
    try node.reboot()
    #expect(try node.driver.observe().gpus.map(\.mig?.current) == [false, true])
    _ = preparation.run(nodes) { () throws(DriverError) in node.driver }
    #expect(try node.driver.observe().gpus.map(\.mig?.current) == [true, true])
  }

  @Test("point 3: a mode that is to go off stays on, and a GPU that does not answer is said not to")
  func modesThatAreToGoOff() throws {
    let node = try SimulatedNode(["A100-80GB", "A100-80GB"], isGuarded: true)
    _ = try node.driver.setMIGMode(gpu: SimulatedNode.uuid(0), enabled: false)
    try node.setFaults(["lose nvmlDeviceGetName 1 1"])
    _ = try? node.driver.observe()
    var preparation = MachinePreparation()
    preparation.modprobe = nil
    preparation.migGPUs = ["all"]
    let lines = preparation.run(CapabilityNodes(root: node.directory.path, isSimulated: true)) {
      () throws(DriverError) in node.driver
    }
    #expect(lines.map(\.isFailure) == [false, true, false])
    #expect(lines[1].text.contains("gpu_is_lost"))
    #expect(try node.gpu().mig == ObservedMIGMode(current: true, pending: true))
  }
}
