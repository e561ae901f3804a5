import ArgumentParser
import Foundation
import Glibc
import ParvaNode

/// `parva node prepare`: what takes root once after a boot.
struct NodePrepareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prepare",
    abstract: "Make this machine ready for an agent without root: capability nodes, modules, and MIG mode where told.",
    discussion:
      "Takes root. packaging/parva-node-prepare.service runs it at boot. Exit code 4: something could not be done.")

  @OptionGroup var options: NodeDriverOptions
  @Option(name: .long, help: "Group that may make and destroy instances: a name or a number.")
  var group: String?
  @Option(
    name: .customLong("mig"),
    help: "GPU whose MIG mode is turned on, by UUID or index, or all; may be given several times. May reset the GPU.")
  var migGPUs: [String] = []

  func run() throws {
    var preparation = MachinePreparation()
    preparation.migGPUs = migGPUs
    if let group {
      preparation.group = try Self.id(of: group)
    }
    let nodes: CapabilityNodes
    if let root = options.simulatedRoot {
      // The machine is made by opening it; it has no module to load.
      _ = try options.opened()
      preparation.modprobe = nil
      nodes = CapabilityNodes(root: root, isSimulated: true)
    } else {
      nodes = CapabilityNodes()
    }
    let found = try options.found()
    let lines = preparation.run(nodes) { () throws(DriverError) in try found.get() }
    for line in lines { line.isFailure ? Console.error(line.text) : print(line.text) }
    if lines.contains(where: \.isFailure) { throw CommandFailure(.checkFailed) }
  }

  /// By name, or by a number, which need have no name. The greatest stands for none at all (chown(2)).
  private static func id(of group: String) throws -> gid_t {
    if let number = gid_t(group) {
      if number != .max { return number }
    } else if let found = getgrnam(group) {
      return found.pointee.gr_gid
    }
    throw CommandFailure(.badInput, "group_unknown: this machine has no group \(group): make it, or name another")
  }
}
