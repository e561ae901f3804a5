import Foundation
import Glibc
import ParvaStandIn
import ParvaWire
import Testing

@testable import ParvaNode

/// What the doctor says of machines that lack one thing each. It never writes: the folder is the same afterwards.
@Suite(.blocking) struct DoctorTests {
  /// A guarded simulated machine with everything in place, seen as a root folder.
  private static func machine(_ change: (URL) throws -> Void = { _ in }) throws -> (node: SimulatedNode, root: URL) {
    let node = try SimulatedNode(["A100-80GB"], isGuarded: true)
    try DriverPointTests.makeNodes(node)
    let root = node.directory
    let bin = root.appendingPathComponent("bin")
    try FileManager.default.createDirectory(at: bin, withIntermediateDirectories: true)
    for name in ["nvidia-cuda-mps-control", "nvidia-cuda-mps-server", "nvidia-modprobe"] {
      let path = bin.appendingPathComponent(name).path
      #expect(FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o755]))
    }
    let group = root.appendingPathComponent("sys/fs/cgroup/parva")
    try FileManager.default.createDirectory(at: group, withIntermediateDirectories: true)
    try FileManager.default.createDirectory(
      at: root.appendingPathComponent("proc/self"), withIntermediateDirectories: true)
    try "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n".write(
      to: root.appendingPathComponent("proc/self/mounts"), atomically: true, encoding: .utf8)
    try "0::/parva\n".write(to: root.appendingPathComponent("proc/self/cgroup"), atomically: true, encoding: .utf8)
    try "Character devices:\n195 nvidia\n238 nvidia-caps\n510 nvidia-uvm\n".write(
      to: root.appendingPathComponent("proc/devices"), atomically: true, encoding: .utf8)
    #expect(FileManager.default.createFile(atPath: root.path + "/dev/nvidia-uvm", contents: nil))
    try "cpuset cpu io memory pids\n".write(
      to: group.appendingPathComponent("cgroup.controllers"), atomically: true, encoding: .utf8)
    try change(root)
    return (node, root)
  }

  private static func question(_ root: URL, _ environment: [String: String] = [:]) -> Doctor.Question {
    var environment = environment
    environment["PATH"] = root.appendingPathComponent("bin").path
    var question = Doctor.Question(
      stateDirectory: root.appendingPathComponent("records/node").path, runDirectory: "/tmp/parva-doctor",
      environment: environment)
    // As the drop-in for modes leaves it, whoever runs the tests.
    question.user = 0
    question.capabilities = 1 << 21
    return question
  }

  private static func findings(
    _ change: (URL) throws -> Void = { _ in }, environment: [String: String] = [:]
  ) throws -> [Finding] {
    let (node, root) = try machine(change)
    let before = try FileManager.default.subpathsOfDirectory(atPath: root.path)
    let driver: any GPUDriver = node.driver
    let found = Doctor(root: root.path, question(root, environment)).examine(.success(driver))
    #expect(try FileManager.default.subpathsOfDirectory(atPath: root.path) == before)
    return found
  }

  @Test func aMachineWithEverythingIsWell() throws {
    let findings = try Self.findings().filter { $0.check != "clock" }
    #expect(findings.filter { $0.grade != .ok } == [])
    #expect(
      Set(findings.map(\.check)) == [
        "driver", "mig_mode", "capability_nodes", "uvm", "mps", "cgroup", "container", "state_dir", "run_dir",
        "records",
      ])
  }

  struct Lack: Sendable {
    var check: String
    var grade: Finding.Grade
    var mend: String
    var environment: [String: String] = [:]
    var change: @Sendable (URL) throws -> Void
  }

  private static func write(_ text: String, _ name: String, below root: URL) throws {
    let file = root.appendingPathComponent(name)
    try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try text.write(to: file, atomically: true, encoding: .utf8)
  }

  static let lacks = [
    Lack(check: "capability_nodes", grade: .warn, mend: "parva node prepare") {
      try FileManager.default.removeItem(at: $0.appendingPathComponent("dev/nvidia-caps/nvidia-cap1"))
    },
    Lack(check: "capability_nodes", grade: .stop, mend: "parva node prepare") {
      try FileManager.default.removeItem(at: $0.appendingPathComponent("bin/nvidia-modprobe"))
      try FileManager.default.removeItem(at: $0.appendingPathComponent("dev/nvidia-caps/nvidia-cap1"))
    },
    Lack(check: "capability_nodes", grade: .stop, mend: "parva node prepare", environment: ["container": "podman"]) {
      try FileManager.default.removeItem(at: $0.appendingPathComponent("dev/nvidia-caps/nvidia-cap40"))
    },
    Lack(check: "uvm", grade: .warn, mend: "nvidia-modprobe -u") {
      try "195 nvidia\n".write(to: $0.appendingPathComponent("proc/devices"), atomically: true, encoding: .utf8)
    },
    Lack(check: "uvm", grade: .warn, mend: "nvidia-modprobe -u") {
      try FileManager.default.removeItem(at: $0.appendingPathComponent("dev/nvidia-uvm"))
    },
    Lack(check: "mps", grade: .warn, mend: "nvidia-compute-utils") {
      try FileManager.default.removeItem(at: $0.appendingPathComponent("bin/nvidia-cuda-mps-control"))
    },
    Lack(check: "mps", grade: .warn, mend: "same release") {
      try FileManager.default.removeItem(at: $0.appendingPathComponent("bin/nvidia-cuda-mps-server"))
    },
    Lack(check: "cgroup", grade: .warn, mend: "unified_cgroup_hierarchy") {
      try FileManager.default.removeItem(at: $0.appendingPathComponent("proc/self/cgroup"))
    },
    Lack(check: "cgroup", grade: .warn, mend: "Delegate") {
      try "0::/other\n".write(to: $0.appendingPathComponent("proc/self/cgroup"), atomically: true, encoding: .utf8)
    },
    Lack(check: "cgroup", grade: .warn, mend: "Delegate=memory cpu") {
      try "cpuset io pids\n".write(
        to: $0.appendingPathComponent("sys/fs/cgroup/parva/cgroup.controllers"), atomically: true, encoding: .utf8)
    },
    Lack(check: "cgroup", grade: .warn, mend: "Delegate=memory cpu") {
      try FileManager.default.removeItem(at: $0.appendingPathComponent("sys/fs/cgroup/parva/cgroup.controllers"))
    },
    Lack(check: "state_dir", grade: .stop, mend: "--state-dir") { try Self.write("", "records", below: $0) },
    Lack(check: "state_dir", grade: .stop, mend: "--state-dir") { try Self.write("", "records/node", below: $0) },
    Lack(check: "records", grade: .stop, mend: "verified.json.bad") {
      try Self.write("{}", "records/node/verified.json", below: $0)
    },
    Lack(check: "records", grade: .stop, mend: "PARVA_SERVICE") {
      try Self.write("{}", "records/node/services/server-x.json", below: $0)
    },
    Lack(check: "records", grade: .stop, mend: "journal.jsonl.bad") {
      try Self.write("rubbish\n", "records/node/journal.jsonl", below: $0)
    },
    Lack(check: "records", grade: .stop, mend: "journal.jsonl.bad") {
      try FileManager.default.createDirectory(
        at: $0.appendingPathComponent("records/node/journal.jsonl"), withIntermediateDirectories: true)
    },
    Lack(check: "records", grade: .stop, mend: "lock.bad") {
      let folder = $0.appendingPathComponent("records/node")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      #expect(mkfifo(folder.appendingPathComponent("lock").path, 0o600) == 0)
    },
    Lack(check: "records", grade: .warn, mend: "parva node state") {
      let store = try NodeStore(directory: $0.appendingPathComponent("records/node"))
      try store.save(
        NodeStore.Verified(
          wanted: NodeAssignment(revision: 3, gpus: []), holdings: Holdings(), bootID: store.bootID,
          degraded: ApplyFailure(step: nil, code: "unknown", detail: "the way back failed")))
    },
    Lack(check: "records", grade: .warn, mend: "start the agent") {
      let store = try NodeStore(directory: $0.appendingPathComponent("records/node"))
      try store.journal.append(
        .begin(
          JournalBegin(
            bootID: store.bootID, wanted: NodeAssignment(revision: 7, gpus: []), base: [], holdings: Holdings(),
            steps: [])))
    },
    Lack(
      check: "container", grade: .warn, mend: "NVIDIA_MIG_CONFIG_DEVICES", environment: ["container": "docker"],
      change: { _ in }),
    Lack(check: "holders", grade: .warn, mend: "nvidia-dcgm") {
      let folder = $0.appendingPathComponent("proc/77/fd")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      try "nv-hostengine\n".write(
        to: $0.appendingPathComponent("proc/77/comm"), atomically: true, encoding: .utf8)
      try FileManager.default.createSymbolicLink(
        atPath: folder.appendingPathComponent("3").path, withDestinationPath: "/dev/nvidia0")
    },
  ]

  @Test(arguments: lacks) func whatIsMissingIsNamedWithWhatMendsIt(_ lack: Lack) throws {
    let findings = try Self.findings(lack.change, environment: lack.environment).filter { $0.check == lack.check }
    let found = try #require(findings.first { $0.grade != .ok }, "\(lack.check): \(findings)")
    #expect(found.grade == lack.grade)
    #expect(found.mend?.contains(lack.mend) == true, "\(found)")
  }

  @Test(arguments: ["no_driver", "driver_not_loaded", "lib_rm_version_mismatch", "unknown"])
  func aDriverThatCannotBeUsedStopsAndIsExplained(_ code: String) throws {
    let (_, root) = try Self.machine()
    let error = DriverError(code: code, call: "nvmlInit", detail: "no")
    let findings = Doctor(root: root.path, Self.question(root)).examine(.failure(error))
    #expect(findings.first?.check == "driver" && findings.first?.grade == .stop)
    #expect(findings.first?.mend?.isEmpty == false)
  }

  @Test(
    "a disk without room, and one that is mounted for reading only, stop an apply", arguments: [ENOSPC, EDQUOT, EROFS])
  func disks(_ code: Int32) throws {
    let node = try SimulatedNode(["A100-80GB"])
    var question = Self.question(node.directory)
    #expect(Doctor(root: node.directory.path, question).directories.map(\.grade) == [.ok, .ok])
    question.unwritable = { folder, bytes in folder == node.directory.path && bytes > 0 ? code : nil }
    let findings = Doctor(root: node.directory.path, question).directories
    #expect(findings.map(\.grade) == [.stop, .ok])
    #expect(findings[0].detail.contains(String(cString: strerror(code))))
    #expect(findings[0].mend?.contains(code == EROFS ? "mount" : "df -i") == true)
  }

  @Test("a lost GPU stops an apply only where none answers, as an apply has it")
  func lostGPUs() throws {
    let node = try SimulatedNode(["A100-80GB", "A100-80GB"])
    let store = try NodeStore(directory: node.directory.appendingPathComponent("records"), bootID: "boot")
    let runner = ApplyRunner(driver: node.driver, store: store)
    func wanted(_ revision: Int, _ starts: [Int], on gpu: Int) -> NodeAssignment {
      NodeAssignment(
        revision: revision,
        gpus: [
          WantedGPU(
            uuid: SimulatedNode.uuid(gpu), instances: starts.map { WantedInstance(profileID: 9, start: $0) })
        ])
    }
    #expect(try runner.apply(wanted(1, [0], on: 0)).isVerified)
    func lose(_ index: Int) throws {
      try node.setFaults(["lose nvmlDeviceGetName 1 \(index)"])
      _ = try node.driver.observe()
      try node.setFaults([])
    }
    func findings() -> [Finding] {
      Doctor(root: node.directory.path, Self.question(node.directory)).examine(.success(node.driver)).filter {
        $0.check == "gpu"
      }
    }
    try lose(0)
    #expect(findings().map(\.grade) == [.warn])
    #expect(try store.known().lost(on: node.driver.observe()).map(\.gpu) == [SimulatedNode.uuid(0)])
    // What the doctor says of it holds: others are applied, and something new there is refused.
    #expect(try runner.apply(wanted(2, [0], on: 1)).isVerified)
    guard case .refused(let problems) = try runner.apply(wanted(3, [4], on: 0)) else {
      Issue.record("not refused")
      return
    }
    #expect(problems.map(\.code) == [.gpuFaulty])
    try lose(1)
    #expect(findings().map(\.grade) == [.stop, .stop])
  }

  @Test("what nvidia-smi does not tell of processes and holders is said, as with NVML")
  func unknownProcesses() throws {
    let node = try SimulatedNode(["A100-80GB"])
    _ = try node.create(9, at: 0)
    let smi = try node.machine.smiDriver()
    let driver = SMIDriver(proc: node.directory.path) { (arguments: [String]) throws(DriverError) in
      if arguments.isEmpty { throw DriverError(code: "unknown", call: "nvidia-smi", detail: "Unknown Error") }
      return try SMICommand.run(arguments, path: node.directory.appendingPathComponent("nvidia-smi").path)
    }
    #expect(try smi.observe().gpus[0].processesUnknown == nil)
    let seen = try driver.observe().gpus[0]
    #expect(seen.processesUnknown == "unknown" && seen.instances[0].computes[0].processesUnknown == "unknown")
    #expect(driver.holders(gpu: SimulatedNode.uuid(0), instance: nil) == nil)
    let found = Doctor(root: node.directory.path, Self.question(node.directory)).examine(.success(driver)).filter {
      $0.check == "holders"
    }
    #expect(found.map(\.grade) == [.warn, .warn])
    #expect(found[0].detail.contains("does not tell") && found[1].detail.contains("cannot be told"))
    #expect(DeviceHolders.clause(nil).contains("cannot be told"))
    // And it stands against a destroy, as it does over NVML.
    let store = try NodeStore(directory: node.directory.appendingPathComponent("records"), bootID: "boot")
    let runner = ApplyRunner(driver: driver, store: store)
    let adopted = DriverPointTests.wanted(1, [(9, 0)])
    #expect(try runner.apply(adopted, options: ApplyPlanner.Options(adopt: true)).isVerified)
    guard case .refused(let problems) = try runner.apply(DriverPointTests.wanted(2, [])) else {
      Issue.record("not refused")
      return
    }
    #expect(problems.map(\.code) == [.processesUnknown])
  }

  @Test("a simulated machine is never told to load modules or to ask a real driver", arguments: [false, true])
  func simulatedMends(isGuarded: Bool) throws {
    let node = try SimulatedNode(["A100-80GB", "H100-80GB-SXM"], migEnabled: false, isGuarded: isGuarded)
    var question = Self.question(node.directory)
    question.isSimulated = true
    _ = try node.driver.setMIGMode(gpu: SimulatedNode.uuid(0), enabled: true)
    let found = Doctor(root: node.directory.path, question).examine(.success(node.driver))
    #expect(found.contains { $0.check == "mig_mode" && $0.grade == .stop })
    for finding in found where !["cgroup", "container", "clock"].contains(finding.check) {
      for word in ["modprobe", "nvidia-smi"] { #expect(finding.mend?.contains(word) != true, "\(finding)") }
    }
  }

  @Test func modesAreJudgedByWhoMayChangeThem() throws {
    let node = try SimulatedNode(["A100-80GB", "H100-80GB-SXM"], migEnabled: false)
    var question = Self.question(node.directory)
    func modes() -> [Finding] {
      Doctor(root: node.directory.path, question).examine(.success(node.driver)).filter { $0.check == "mig_mode" }
    }
    #expect(modes().map(\.grade) == [.stop, .stop])
    #expect(modes().allSatisfy { $0.mend?.contains("-mig 1") == true })
    question.managesMIGMode = true
    #expect(modes().map(\.grade) == [.ok, .ok])
    _ = try node.driver.setMIGMode(gpu: SimulatedNode.uuid(0), enabled: true)
    #expect(modes().map(\.grade) == [.stop, .ok])
    #expect(modes()[0].mend?.contains("nvidia-smi -r") == true)
  }

  @Test("point 4: root with powers that no agent has is told that its look proves little")
  func rootWithItsPowers() throws {
    let (node, root) = try Self.machine()
    var question = Self.question(root)
    func powers() -> Finding? {
      Doctor(root: root.path, question).examine(.success(node.driver)).first { $0.check == "user" }
    }
    let (administration, makingNodes): (UInt64, UInt64) = (1 << 21, 1 << 27)
    question.capabilities = administration
    #expect(powers() == nil)
    question.capabilities = administration | makingNodes
    #expect(powers()?.grade == .warn)
    #expect(powers()?.detail.contains("CAP_MKNOD") == true && powers()?.mend?.contains("sudo -u") == true)
    question.user = 1000
    #expect(powers() == nil)
  }

  @Test("point 1: who follows the doctor takes the nodes from no group that has them") func theGroupInUse() throws {
    let (node, root) = try Self.machine()
    var question = Self.question(root)
    question.managesMIGMode = true
    question.capabilities = 0
    func mend() -> String? {
      Doctor(root: root.path, question).examine(.success(node.driver)).first { $0.check == "mode_permission" }?.mend
    }
    #expect(mend()?.contains("prepare --mig all --group") == true)
    let config = CapabilityNodes(root: root.path).listed.first { $0.name == "config" }
    let path = CapabilityNodes(root: root.path).path(try #require(config))
    guard chown(path, geteuid(), 61_777) == 0 else { return }
    #expect(mend()?.contains("--group 61777") == true)
  }

  @Test("point 20: without NVML the doctor says what is missing by that") func overNvidiaSMI() throws {
    let node = try SimulatedNode(["A100-80GB"])
    let driver: any GPUDriver = try node.machine.smiDriver()
    let found = Doctor(root: node.directory.path, Self.question(node.directory)).examine(.success(driver))
    #expect(found.first { $0.check == "driver" }?.grade == .warn)
  }
}
