import Foundation
import Glibc
import ParvaWire

/// Looks at everything that a node needs of its machine and changes nothing. What it says is meant to be pasted into a
/// report: no secret is read.
package struct Doctor: Sendable {
  /// What the agent would be started with.
  package struct Question: Sendable {
    package var managesMIGMode = false
    package var mpsControl = "nvidia-cuda-mps-control"
    package var stateDirectory: String
    package var runDirectory: String
    /// Colon separated folders where programs are looked for.
    package var path: String
    package var environment: [String: String]
    package var user = Int(geteuid())
    /// The effective set of this process, by bits.
    package var capabilities = Doctor.effectiveCapabilities
    /// The machine is a stand-in: root is who runs it, and no agent has less.
    package var isSimulated = false
    /// Why so many bytes cannot be kept in a folder; stands in for a disk in tests.
    var unwritable: @Sendable (String, Int) -> Int32? = Doctor.unwritable

    package init(
      stateDirectory: String, runDirectory: String,
      environment: [String: String] = ProcessInfo.processInfo.environment
    ) {
      self.stateDirectory = stateDirectory
      self.runDirectory = runDirectory
      self.environment = environment
      path = environment["PATH"] ?? ""
    }
  }

  /// What lies before `/proc`, `/dev`, `/sys` and `/run`; empty for this machine.
  let root: String
  let question: Question

  package init(root: String = "", _ question: Question) {
    self.root = root
    self.question = question
  }

  package func examine(_ driver: Result<any GPUDriver, DriverError>) -> [Finding] {
    var findings: [Finding] = []
    switch driver.flatMap({ driver in Result { () throws(DriverError) in (driver, try driver.observe()) } }) {
    case .success(let (driver, node)):
      findings.append(version(node))
      findings += gpus(node)
      findings += capabilities(node)
      for gpu in node.gpus where gpu.fault == nil { findings += holders(gpu, driver) }
    case .failure(let error): findings.append(missing(error))
    }
    findings += [powers, unifiedMemory, mps, controlGroups, container, clock].compactMap { $0 }
    return findings + directories + [records]
  }

  func text(_ path: String) -> String? { try? String(contentsOfFile: root + path, encoding: .utf8) }

  // MARK: - Driver and GPUs

  private func missing(_ error: DriverError) -> Finding {
    let mends = [
      "lib_rm_version_mismatch": "reboot, or rmmod and modprobe nvidia: the module and the library are of two releases",
      "driver_not_loaded": "modprobe nvidia; dmesg | grep -i nvrm says why it does not load",
      "no_driver": "install NVIDIA's driver (R450 or later), then modprobe nvidia",
      "nvidia_smi_missing": "install NVIDIA's driver with its utilities, or name nvidia-smi's folder in PATH",
      "driver_library_missing": "install libnvidia-ml.so.1 of the driver's release, or name it with --nvml",
    ]
    if error.code == "no_permission" {
      return Finding("driver", .stop, "the driver cannot be used by user \(question.user): \(error)", mend: prepare())
    }
    return Finding(
      "driver", .stop, "the driver cannot be used: \(error)",
      mend: question.isSimulated
        ? "see \(question.stateDirectory)/simulated/faults, which makes a simulated machine's calls fail"
        : mends[error.code] ?? "nvidia-smi -q shows what the driver itself says")
  }

  private func version(_ node: ObservedNode) -> Finding {
    let branch = Int(node.driverVersion.prefix { $0 != "." })
    let name = "driver \(LogTail.cleaned(node.driverVersion)), read through \(node.source)"
    if let branch, branch < 450 {
      return Finding("driver", .stop, "\(name): MIG came with R450", mend: "install a driver of R525 or later")
    }
    if node.source == "nvidia-smi" {
      return Finding(
        "driver", .warn, "\(name): slower, and errors of the GPUs are not heard",
        mend: "let it read NVML: --driver nvml, with libnvidia-ml.so.1 installed")
    }
    return Finding("driver", .ok, name + (node.simulated ? ": SIMULATED, no hardware" : ""))
  }

  private func gpus(_ node: ObservedNode) -> [Finding] {
    if node.gpus.isEmpty {
      return [Finding("gpus", .stop, "the driver shows no GPU", mend: "nvidia-smi -L; lspci -d 10de:")]
    }
    let answering = node.gpus.count { $0.fault == nil }
    var findings = node.gpus.map { gpu in gpu.fault.map { lost(gpu, $0, others: answering) } ?? mode(gpu) }
    if answering > 0 && !node.gpus.contains(where: { $0.mig != nil || $0.isWhole }) {
      findings.append(
        Finding(
          "gpus", .stop, "no GPU of this machine has MIG, and none is known as a whole",
          mend: "use A30, A100, H100 or later, or a product without MIG that `parva geometry` lists"))
    }
    return findings
  }

  /// An apply goes on without a lost GPU, unless it wants something new there.
  private func lost(_ gpu: ObservedGPU, _ fault: String, others: Int) -> Finding {
    let name = "GPU \(gpu.index), \(gpu.board), \(gpu.uuid)"
    return Finding(
      "gpu", others > 0 ? .warn : .stop,
      "\(name) does not answer: \(fault)"
        + (others > 0 ? "; a plan that wants something new on it is refused, and others are applied without it" : ""),
      mend: question.isSimulated
        ? "rm \(question.stateDirectory)/simulated/state, which is its reboot"
        : "nvidia-smi -r -i \(gpu.index) with the agent stopped, or a reboot")
  }

  private func mode(_ gpu: ObservedGPU) -> Finding {
    let name = "GPU \(gpu.index), \(gpu.board), \(gpu.uuid)"
    guard let mode = gpu.mig else {
      let use = gpu.isWhole ? "is used as a whole" : "is left alone"
      return Finding("mig_mode", .ok, "\(name) has no MIG and \(use)")
    }
    if mode.current && !mode.pending {
      return Finding(
        "mig_mode", .stop, "\(name): MIG is on and goes off with the next reset",
        mend: question.isSimulated ? prepare(" --mig \(gpu.uuid)") : "nvidia-smi -i \(gpu.uuid) -mig 1 takes that back")
    }
    if mode.current {
      return Finding("mig_mode", .ok, "\(name): MIG is on, \(gpu.instances.count) instances stand")
    }
    if mode.pending {
      return Finding(
        "mig_mode", .stop, "\(name): MIG is off and waits for a reset",
        mend: question.isSimulated ? prepare(" --mig \(gpu.uuid)") : "nvidia-smi -r -i \(gpu.uuid), or a reboot")
    }
    if question.managesMIGMode {
      return Finding("mig_mode", .ok, "\(name): MIG is off; the agent turns it on where a plan needs it")
    }
    return Finding(
      "mig_mode", .stop, "\(name): MIG is off",
      mend: question.isSimulated ? prepare(" --mig \(gpu.uuid)") : "nvidia-smi -i \(gpu.uuid) -mig 1")
  }

  private func holders(_ gpu: ObservedGPU, _ driver: any GPUDriver) -> [Finding] {
    var findings: [Finding] = []
    let unknown = gpu.processesUnknown ?? gpu.instances.lazy.flatMap(\.computes).compactMap(\.processesUnknown).first
    if let unknown {
      findings.append(
        Finding(
          "holders", .warn,
          "the driver does not tell which processes run on GPU \(gpu.index) (\(unknown)): no instance that has compute "
            + "instances is destroyed while it does not",
          mend: unknown == "no_permission" ? prepare() : "nvidia-smi shows what it says itself"))
    }
    guard let holders = driver.holders(gpu: gpu.uuid, instance: nil) else {
      if question.isSimulated { return findings }
      return findings + [
        Finding(
          "holders", .warn, "who has GPU \(gpu.index) open cannot be told: the number of its device is not known",
          mend: "fuser -v /dev/nvidia* (as root)")
      ]
    }
    if holders.isEmpty { return findings }
    let names = holders.map { "\($0.pid) (\($0.name))" }.joined(separator: ", ")
    return findings + [
      Finding(
        "holders", .warn, "GPU \(gpu.index) is open in \(names): a reset, and sometimes a destroy, fails while it is",
        mend: holders.contains { $0.name.hasPrefix("nv-hostengine") || $0.name.hasPrefix("dcgm") }
          ? "systemctl stop nvidia-dcgm before MIG mode changes" : nil)
    ]
  }

  // MARK: - Permissions

  private func capabilities(_ node: ObservedNode) -> [Finding] {
    let nodes = CapabilityNodes(root: root)
    let listed = nodes.listed
    var findings: [Finding] = []
    if listed.isEmpty {
      if node.simulated { return [Finding("capability_nodes", .ok, "a simulated machine that asks for none")] }
      return [
        Finding(
          "capability_nodes", .stop, "\(root)/proc/driver/nvidia-caps/mig-minors lists no MIG capability",
          mend: isContained ? "start the container with NVIDIA_MIG_CONFIG_DEVICES=all" : "modprobe nvidia")
      ]
    }
    let grade: Finding.Grade = makesNodes ? .warn : .stop
    let byRoot = makesNodes ? "; nvidia-modprobe makes them for root where it is asked to, and takes them back" : ""
    for name in ["config", "monitor"] {
      guard let node = listed.first(where: { $0.name == name }), !nodes.opens(node) else { continue }
      findings.append(
        Finding(
          "capability_nodes", grade,
          "user \(question.user) cannot open \(nodes.path(node)), mig/\(name): "
            + (name == "config" ? "instances are not made or destroyed" : "processes on instances are not seen")
            + byRoot,
          mend: prepare()))
    }
    let missing = listed.count { !nodes.opens($0) }
    if findings.isEmpty && missing > 0 {
      findings.append(
        Finding(
          "capability_nodes", grade,
          "\(missing) of \(listed.count) capability nodes cannot be opened: instances that are made cannot be used"
            + byRoot,
          mend: prepare()))
    }
    if findings.isEmpty {
      findings.append(Finding("capability_nodes", .ok, "all \(listed.count) capability nodes open"))
    }
    if question.managesMIGMode && !hasCapability(.systemAdministration) {
      findings.append(
        Finding(
          "mode_permission", .stop, "--manage-mig-mode takes CAP_SYS_ADMIN, which this process does not have",
          mend: "install packaging/parva-node-mode.conf as a drop-in, or turn MIG on with \(prepare(" --mig all"))")
      )
    }
    return findings
  }

  /// Whether the driver's own program makes a node as soon as its library asks for one: for root with its powers, outside
  /// containers. A stand-in has no such program.
  private var makesNodes: Bool {
    question.user == 0 && hasCapability(.systemAdministration) && !isContained && !question.isSimulated
      && question.path.split(separator: ":").contains { access("\($0)/nvidia-modprobe", X_OK) == 0 }
  }

  /// With the group that has the nodes now, so that following this takes them from nobody.
  private func prepare(_ options: String = "") -> String {
    if question.isSimulated { return "parva node prepare\(options), with the same --simulate, --name and --state-dir" }
    let nodes = CapabilityNodes(root: root)
    var found = stat()
    var group = "parva"
    if let config = nodes.listed.first(where: \.isAdministrative), stat(nodes.path(config), &found) == 0,
      found.st_gid != 0
    {
      group = getgrgid(found.st_gid).map { String(cString: $0.pointee.gr_name) } ?? "\(found.st_gid)"
    }
    return "parva node prepare\(options) --group \(group) (as root; parva-node-prepare.service does it at boot)"
  }

  private enum Capability: UInt64 { case systemAdministration = 21 }

  private func hasCapability(_ capability: Capability) -> Bool {
    question.capabilities >> capability.rawValue & 1 == 1
  }

  /// Of this process (proc(5), CapEff).
  package static var effectiveCapabilities: UInt64 {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("CapEff:") } ?? ""
    return UInt64(line.dropFirst(7).trimmingCharacters(in: .whitespaces), radix: 16) ?? 0
  }
}
