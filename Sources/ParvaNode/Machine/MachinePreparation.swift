import Foundation
import ParvaWire

/// What a machine needs from root once after each boot, before an agent without root can work: capability nodes, the
/// module for unified memory, and where told MIG mode, which Hopper and later forget with the driver.
package struct MachinePreparation: Sendable {
  /// GPUs whose MIG mode is to be turned on, by UUID or index, or `all`.
  package var migGPUs: [String] = []
  package var group: UInt32?
  /// Name of the program that loads modules and makes their nodes; nil where there is no module to load.
  package var modprobe: String? = "nvidia-modprobe"

  package init() {}

  /// One thing that was done, or why it was not.
  package struct Line: Hashable, Sendable {
    package var text: String
    package var isFailure = false
  }

  package func run(_ nodes: CapabilityNodes, driver: () throws(DriverError) -> any GPUDriver) -> [Line] {
    var lines: [Line] = []
    if let modprobe { lines.append(loadUnifiedMemory(modprobe)) }
    if !migGPUs.isEmpty {
      do throws(DriverError) {
        lines += try turnOn(try driver())
      } catch {
        lines.append(Line(text: "MIG mode: \(error)", isFailure: true))
      }
    }
    // A simulated machine without them asks for none, and has no module that would list any.
    if nodes.isSimulated && nodes.listed.isEmpty {
      lines.append(Line(text: "capability nodes: this simulated machine asks for none; one with +caps does"))
      return lines
    }
    // After the mode: a change may give GPUs other numbers.
    do throws(CapabilityNodes.Failure) {
      let changed = try nodes.make(group: group)
      lines.append(Line(text: "capability nodes: \(nodes.listed.count) are there, \(changed) made or changed"))
    } catch {
      lines.append(Line(text: "capability nodes: \(error)", isFailure: true))
    }
    return lines
  }

  private func loadUnifiedMemory(_ program: String) -> Line {
    do throws(ChildCommand.Failure) {
      let result = try ChildCommand.run(program, ["-u", "-c", "0"], timeout: 60)
      if result.status == 0 && !result.timedOut { return Line(text: "nvidia-uvm: loaded, its nodes are there") }
      let said = LogTail.cleaned(result.errors + result.output)
      return Line(text: "nvidia-uvm: \(program) ended with \(result.status): \(said)", isFailure: true)
    } catch {
      return Line(
        text: "nvidia-uvm: \(program) cannot be started; CUDA needs the module (modprobe nvidia-uvm)", isFailure: true)
    }
  }

  private func turnOn(_ driver: any GPUDriver) throws(DriverError) -> [Line] {
    var lines: [Line] = []
    let gpus = try driver.observe().gpus
    let unknown = migGPUs.filter { name in
      name != "all" && !gpus.contains { $0.uuid == name || String($0.index) == name }
    }
    lines += unknown.map { Line(text: "MIG mode: there is no GPU \($0)", isFailure: true) }
    for gpu in gpus where gpu.mig != nil || gpu.fault != nil {
      guard migGPUs.contains(where: { $0 == "all" || $0 == gpu.uuid || $0 == String(gpu.index) }) else { continue }
      if let fault = gpu.fault {
        lines.append(Line(text: "MIG mode: GPU \(gpu.index), \(gpu.uuid), does not answer: \(fault)", isFailure: true))
        continue
      }
      if gpu.mig?.isSettledOn == true {
        lines.append(Line(text: "MIG mode: on already, \(gpu.uuid)"))
        continue
      }
      do throws(DriverError) {
        try MIGModeSwitch(driver: driver).enable(gpu.uuid)
        let did = gpu.mig?.current == true ? "stays on, a pending change was taken back" : "turned on"
        lines.append(Line(text: "MIG mode: \(did), \(gpu.uuid)"))
      } catch {
        lines.append(Line(text: "MIG mode: \(gpu.uuid): \(error)", isFailure: true))
      }
    }
    return lines
  }
}
