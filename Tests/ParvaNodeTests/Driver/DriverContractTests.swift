import Foundation
import ParvaEngine
import ParvaStandIn
import ParvaTestSupport
import ParvaWire
import Testing

@testable import ParvaNode

/// A way to the same simulated machine: each has to keep what `GPUDriver` promises, on every release of the driver.
struct DriverWay: Sendable, CustomTestStringConvertible {
  var kind: DriverKind
  var release: DriverRelease

  static let all = DriverKind.allCases.flatMap { kind in DriverRelease.known.map { DriverWay(kind: kind, release: $0) }
  }
  static let nvidiaSMI = all.filter { $0.kind == .nvidiaSMI }

  var testDescription: String { "\(kind.rawValue) R\(release.name)" }

  func open(
    _ products: [String], migEnabled: Bool = true, isGuarded: Bool = false
  ) throws -> (node: SimulatedNode, driver: any GPUDriver) {
    let node = try SimulatedNode(products, migEnabled: migEnabled, release: release, isGuarded: isGuarded)
    return (node, kind == .nvml ? node.driver : try node.machine.smiDriver())
  }
}

@Suite(.blocking) struct DriverContractTests {
  private static let gpu = SimulatedNode.uuid(0)

  @Test("point 20: what is made stands where it was asked for", arguments: DriverWay.all)
  func instancesStandWhereTheyWereAskedFor(_ way: DriverWay) throws {
    let (node, driver) = try way.open(["A100-80GB", "H100-80GB-SXM"])
    // The machine goes with the last user of its node.
    defer { withExtendedLifetime(node) {} }
    let before = try driver.observe()
    #expect(before.simulated && before.gpus.map(\.fault) == [nil, nil])
    #expect(before.gpus.map(\.mig) == Array(repeating: ObservedMIGMode(current: true, pending: true), count: 2))
    for (profile, start) in [(19, 6), (9, 0), (14, 4)] {
      let id = try driver.createInstance(gpu: Self.gpu, profileID: profile, start: start)
      #expect(try driver.observe(gpu: Self.gpu).instance(profileID: profile, start: start)?.id == id)
      try driver.createCompute(gpu: Self.gpu, instance: id)
    }
    let made = try driver.observe(gpu: Self.gpu)
    #expect(made.instances.map { [$0.profileID, $0.start] } == [[9, 0], [14, 4], [19, 6]])
    #expect(made.instances.allSatisfy { $0.isWhole && $0.uuid?.hasPrefix("MIG-") == true })
    #expect(Set(made.instances.compactMap(\.uuid)).count == 3)
    #expect(try driver.observe().gpus[1] == before.gpus[1])
    for instance in made.instances {
      try driver.destroyCompute(gpu: Self.gpu, instance: instance.id, compute: 0)
      try driver.destroyCompute(gpu: Self.gpu, instance: instance.id, compute: 0)
      try driver.destroyInstance(gpu: Self.gpu, instance: instance.id)
      try driver.destroyInstance(gpu: Self.gpu, instance: instance.id)
    }
    #expect(try driver.observe() == before)
  }

  @Test("point 20: what cannot be is refused by its name", arguments: DriverWay.all)
  func refusals(_ way: DriverWay) throws {
    let (node, driver) = try way.open(["A100-80GB"])
    let made = try node.create(9, at: 0)
    expectDriverError("insufficient_resources") {
      _ = try driver.createInstance(gpu: Self.gpu, profileID: 19, start: 3)
    }
    expectDriverError("invalid_argument") { _ = try driver.createInstance(gpu: Self.gpu, profileID: 14, start: 1) }
    expectDriverError("in_use") { try driver.destroyInstance(gpu: Self.gpu, instance: made.id) }
    try node.setProcesses([
      "\(made.uuid ?? "") 5000001 2048 C python3", "\(made.uuid ?? "") 5000002 7 M server", "\(Self.gpu) 5000003 1 G X",
    ])
    let seen = try driver.observe(gpu: Self.gpu)
    #expect(
      seen.instances.flatMap(\.computes).flatMap(\.processes) == [
        ObservedProcess(pid: 5_000_001, name: "python3", memoryMiB: 2048),
        ObservedProcess(pid: 5_000_002, name: "server", memoryMiB: 7),
      ])
    #expect(seen.processes == [ObservedProcess(pid: 5_000_003, name: "X", memoryMiB: 1)])
    expectDriverError("in_use") { try driver.destroyCompute(gpu: Self.gpu, instance: made.id, compute: 0) }
    #expect(try node.gpu().instances.map(\.id) == [made.id])
  }

  @Test("point 20: the mode is changed, at once or after a reset", arguments: DriverWay.all)
  func modes(_ way: DriverWay) throws {
    let (node, driver) = try way.open(["A100-80GB", "H100-80GB-SXM"], migEnabled: false)
    #expect(try driver.observe().gpus.map(\.profiles.count) == [0, 0])
    let hopper = try driver.setMIGMode(gpu: SimulatedNode.uuid(1), enabled: true)
    #expect(hopper == MIGModeChange(mode: ObservedMIGMode(current: true, pending: true), activation: "success"))
    let ampere = try driver.setMIGMode(gpu: Self.gpu, enabled: true)
    #expect(ampere == MIGModeChange(mode: ObservedMIGMode(current: false, pending: true), activation: "reset_required"))
    if way.kind == .nvidiaSMI {
      // Another process has the library open, as a monitor may: the reset fails, by name.
      expectDriverError("in_use") { try driver.reset(gpu: Self.gpu) }
    } else {
      try driver.reset(gpu: Self.gpu)
      #expect(try node.gpu().mig == ObservedMIGMode(current: true, pending: true))
      #expect(try node.gpu().profiles.isEmpty == false)
    }
  }

  @Test("point 20: a GPU that was lost before anybody looked is shown as lost", arguments: DriverWay.all)
  func lostBeforeTheFirstLook(_ way: DriverWay) throws {
    let (node, _) = try way.open(["A100-80GB", "A100-80GB", "A100-80GB"])
    try node.create(9, at: 0, gpu: 2)
    try node.setFaults(["lose nvmlDeviceGetName 1 1"])
    _ = try? node.driver.observe()
    try node.setFaults([])
    let fresh: any GPUDriver =
      way.kind == .nvml ? try NVMLDriver(path: node.machine.library.path) : try node.machine.smiDriver()
    let gpus = try fresh.observe().gpus
    #expect(gpus.map(\.fault) == [nil, "gpu_is_lost", nil])
    #expect(gpus.map(\.index) == [0, 1, 2])
    let found = Doctor(
      root: node.directory.path,
      Doctor.Question(stateDirectory: node.directory.path, runDirectory: "/tmp/parva-doctor", environment: [:])
    ).examine(.success(fresh))
    #expect(found.filter { $0.check == "gpu" }.map(\.grade) == [.warn])
    // What runs on the others is known, and they are changed.
    #expect(gpus[2].instances.flatMap(\.computes).map(\.processesUnknown) == [nil])
    let uuid = SimulatedNode.uuid(2)
    let instance = try #require(gpus[2].instances.first)
    try fresh.destroyCompute(gpu: uuid, instance: instance.id, compute: 0)
    try fresh.destroyInstance(gpu: uuid, instance: instance.id)
    #expect(try fresh.observe(gpu: uuid).instances.isEmpty)
  }

  @Test("a pending end of MIG mode is seen, and taken back where told to", arguments: DriverWay.all)
  func modesThatAreToGoOff(_ way: DriverWay) throws {
    let (node, driver) = try way.open(["A100-80GB"])
    try node.create(9, at: 0)
    let off = try driver.setMIGMode(gpu: Self.gpu, enabled: false)
    #expect(off == MIGModeChange(mode: ObservedMIGMode(current: true, pending: false), activation: "in_use"))
    var question = Doctor.Question(
      stateDirectory: node.directory.path, runDirectory: "/tmp/parva-doctor", environment: [:])
    question.managesMIGMode = true
    let found = Doctor(root: node.directory.path, question).examine(.success(driver)).filter { $0.check == "mig_mode" }
    #expect(found.map(\.grade) == [.stop])
    #expect(found.first?.mend?.contains("-mig 1") == true)
    let runner = ApplyRunner(
      driver: driver, store: try NodeStore(directory: node.directory.appendingPathComponent("n"), bootID: "boot"),
      pause: { _ in })
    let adopt = ApplyPlanner.Options(adopt: true)
    guard
      case .refused(let problems) = try runner.apply(DriverPointTests.wanted(1, [(9, 0), (9, 4)]), options: adopt)
    else {
      Issue.record("an instance was made that goes with the next reset")
      return
    }
    #expect(problems.map(\.code) == [.migDisabled])
    // What stands may stay: a plan that makes nothing there changes no mode.
    #expect(try runner.apply(DriverPointTests.wanted(2, [(9, 0)]), options: adopt).isVerified)
    #expect(try node.gpu().mig == ObservedMIGMode(current: true, pending: false))
    let kept = try node.gpu().instances
    let manage = ApplyPlanner.Options(manageMIGMode: true)
    #expect(try runner.apply(DriverPointTests.wanted(3, [(9, 0), (9, 4)]), options: manage).isVerified)
    #expect(try node.gpu().mig == ObservedMIGMode(current: true, pending: true))
    #expect(try node.gpu().instance(profileID: 9, start: 0) == kept.first)
  }

  @Test("point 20: a lost GPU keeps its name and spares the others", arguments: DriverWay.all)
  func lostGPUs(_ way: DriverWay) throws {
    let (node, driver) = try way.open(["A100-80GB", "A100-80GB"])
    _ = try driver.observe()
    try node.setFaults(["lose nvmlDeviceGetName 1 0"])
    _ = try? driver.observe()
    try node.setFaults([])
    let gpus = try driver.observe().gpus
    #expect(gpus.map(\.fault) == ["gpu_is_lost", nil])
    #expect(gpus.map(\.uuid) == [SimulatedNode.uuid(0), SimulatedNode.uuid(1)])
    expectDriverError("gpu_is_lost") { _ = try driver.createInstance(gpu: Self.gpu, profileID: 9, start: 0) }
    #expect(try driver.createInstance(gpu: SimulatedNode.uuid(1), profileID: 9, start: 0) == 1)
  }

  @Test("point 20: any state follows any other, with failures half-way", arguments: DriverWay.all)
  func statesFollowEachOther(_ way: DriverWay) throws {
    let products = ["A100-80GB", "H100-80GB-SXM", "A30-24GB"]
    // A command takes a hundred times as long as a call: one product for each release.
    let turn = DriverRelease.known.firstIndex(of: way.release) ?? 0
    for (number, name) in products.enumerated() where way.kind == .nvml || number == turn % products.count {
      let (node, driver) = try way.open([name])
      let store = try NodeStore(directory: node.directory, bootID: "boot")
      let runner = ApplyRunner(driver: driver, store: store, pause: { _ in })
      let seed: UInt64 = 11 + UInt64(number)
      var random = SeededGenerator(seed: seed)
      let empty = try driver.observe(gpu: Self.gpu)
      for revision in 1...(way.kind == .nvml ? 12 : 4) {
        let places = Scenario.legal(empty, beside: [], share: 0.6, using: &random)
        let wanted = NodeAssignment(
          revision: revision,
          gpus: [
            WantedGPU(
              uuid: Self.gpu, instances: places.map { WantedInstance(profileID: $0.profileID, start: $0.start) })
          ])
        let before = try driver.observe(gpu: Self.gpu).instances.map(\.place)
        let fault = [
          "fail nvmlDeviceCreateGpuInstanceWithPlacement 1 4 20", "after nvmlGpuInstanceDestroy 1 1 999",
          "kill nvmlGpuInstanceCreateComputeInstance 1", "killed nvmlDeviceCreateGpuInstanceWithPlacement 2",
        ]
        // A command that is killed is a failure like another; NVML would take the test with it.
        let isStruck = revision % 2 == 0
        if isStruck { try node.setFaults([fault[(revision / 2) % (way.kind == .nvml ? 2 : 4)]]) }
        let outcome = try runner.apply(wanted)
        try node.setFaults([])
        let after = try node.gpu().instances
        let note: Comment = "\(name) seed \(seed) revision \(revision)"
        switch outcome {
        case .verified: #expect(after.map(\.place) == places.sorted(), note)
        case .rolledBack: #expect(isStruck && after.map(\.place) == before, note)
        case .refused, .stuck: Issue.record("\(outcome) \(note)")
        }
        #expect(after.allSatisfy { $0.isWhole }, note)
      }
    }
  }

  @Test("point 20: without the capabilities nothing is listed as nothing", arguments: DriverWay.all)
  func permissions(_ way: DriverWay) throws {
    let (node, driver) = try way.open(["A100-80GB"], isGuarded: true)
    expectDriverError("no_permission") { _ = try driver.createInstance(gpu: Self.gpu, profileID: 9, start: 0) }
    try DriverPointTests.makeNodes(node)
    let id = try driver.createInstance(gpu: Self.gpu, profileID: 9, start: 0)
    try driver.createCompute(gpu: Self.gpu, instance: id)
    #expect(try driver.observe(gpu: Self.gpu).instances.map(\.isWhole) == [true])
  }
}

/// Each kind of machine that `--simulate` names, as both ways show it.
@Suite(.blocking) struct NamedMachineTests {
  @Test("point 20: every named machine is the same both ways", arguments: SimulatedMachine.named.map(\.name))
  func bothWaysShowTheSameMachine(_ name: String) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("parva-\(name)-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let described = try SimulatedMachine.described(name, node: "n")
    let machine = try SimulatedMachine(directory: folder, gpus: described.gpus, release: described.release)
    let (nvml, smi) = (try machine.driver().observe(), try machine.smiDriver().observe())
    #expect(nvml.gpus.count == described.gpus.count)
    for (one, other) in zip(nvml.gpus, smi.gpus) {
      #expect((one.index, one.uuid, one.board) == (other.index, other.uuid, other.board))
      #expect(one.mig == other.mig && one.pciBusID == other.pciBusID && one.memoryMiB == other.memoryMiB)
      #expect(one.profiles.map(Shape.init) == other.profiles.map(Shape.init))
    }
  }

  /// A profile without its memory, which nvidia-smi prints in hundredths of a GiB.
  private struct Shape: Equatable {
    var numbers: [Int]
    var name: String
    var starts: [Int]

    init(_ profile: ObservedProfile) {
      numbers = [profile.id, profile.computeSlices, profile.size, profile.maxInstances, profile.smCount]
      (name, starts) = (profile.name, profile.starts)
    }
  }
}

/// What only nvidia-smi can do wrong.
@Suite(.blocking) struct SMIDriverTests {
  @Test("point 20: texts that nobody knows are an error and never an empty machine", arguments: DriverWay.nvidiaSMI)
  func strangeTexts(_ way: DriverWay) throws {
    let (node, driver) = try way.open(["A100-80GB"])
    try node.create(9, at: 0)
    try "strange\n".write(
      to: node.directory.appendingPathComponent("texts"), atomically: true, encoding: .utf8)
    expectDriverError("unknown_text") { _ = try driver.observe() }
    let store = try NodeStore(directory: node.directory.appendingPathComponent("node"), bootID: "boot")
    let outcome = try ApplyRunner(driver: driver, store: store, pause: { _ in }).apply(
      DriverPointTests.wanted(1, [(9, 4)]))
    guard case .refused = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(try node.gpu().instances.count == 1)
  }

  @Test("point 20: a table of processes that nobody knows blocks destroys") func strangeProcesses() throws {
    let (node, real) = try DriverWay(kind: .nvidiaSMI, release: .usual).open(["A100-80GB"])
    let path = node.directory.appendingPathComponent("nvidia-smi").path
    let driver = SMIDriver { (arguments: [String]) throws(DriverError) in
      let said = try SMICommand.run(arguments, path: path)
      return arguments.isEmpty ? "| Processes: |\n| 0 | 5 | something else |\n" : said
    }
    let store = try NodeStore(directory: node.directory.appendingPathComponent("node"), bootID: "boot")
    #expect(try ApplyRunner(driver: real, store: store).apply(DriverPointTests.wanted(1, [(9, 4)])).isVerified)
    guard
      case .refused(let problems) = try ApplyRunner(driver: driver, store: store).apply(
        DriverPointTests.wanted(2, []))
    else {
      Issue.record("an instance went though nobody knew what ran on it")
      return
    }
    #expect(problems.map(\.code) == [.processesUnknown])
  }

  @Test("point 20: where NVML is named or missing the other is chosen as told") func choice() throws {
    let node = try SimulatedNode(["A100-80GB"])
    _ = try node.machine.smiDriver()
    let smi = node.directory.appendingPathComponent("nvidia-smi").path
    #expect(try DriverChoice.open(.nvidiaSMI, smiPath: smi).observe().source == "nvidia-smi")
    #expect(try DriverChoice.open(.nvml, nvmlPath: node.machine.library.path).observe().source == "nvml")
    expectDriverError("nvidia_smi_missing") { _ = try DriverChoice.open(.nvidiaSMI, smiPath: "/nowhere/nvidia-smi") }
  }
}
