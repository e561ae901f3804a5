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
    if let modprobe {
      lines.append(makeDevices(modprobe, gpus: DeviceHolders.minors(ofGPUs: nodes.root + "/proc")))
      lines.append(loadUnifiedMemory(modprobe))
    }
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

  /// Nodes of the driver and of its GPUs: loading the module makes none, and an agent without privileges cannot. With `-u`
  /// the program cares for nothing but unified memory, so this is a call of its own.
  private func makeDevices(_ program: String, gpus: [Int]) -> Line {
    let control = 255
    return run(
      program, ([control] + gpus).flatMap { ["-c", "\($0)"] }, as: "device nodes",
      done: "there, for \(gpus.count) GPUs",
      needs: "NVML needs /dev/nvidiactl and /dev/nvidiaN (nvidia-modprobe -c 255 -c 0)")
  }

  private func loadUnifiedMemory(_ program: String) -> Line {
    run(
      program, ["-u", "-c", "0"], as: "nvidia-uvm", done: "loaded, its nodes are there",
      needs: "CUDA needs the module (modprobe nvidia-uvm)")
  }

  private func run(_ program: String, _ arguments: [String], as name: String, done: String, needs: String) -> Line {
    do throws(ChildCommand.Failure) {
      let result = try ChildCommand.run(program, arguments, timeout: 60)
      if result.status == 0 && !result.timedOut { return Line(text: "\(name): \(done)") }
      let said = LogTail.cleaned(result.errors + result.output)
      return Line(text: "\(name): \(program) ended with \(result.status): \(said)", isFailure: true)
    } catch {
      return Line(text: "\(name): \(program) cannot be started; \(needs)", isFailure: true)
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
