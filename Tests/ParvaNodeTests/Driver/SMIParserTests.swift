import Foundation
import ParvaEngine
import ParvaStandIn
import ParvaTestSupport
import ParvaWire
import Synchronization
import Testing

@testable import ParvaNode

/// nvidia-smi's listings in every known form: each folder of `Listings` is one driver's.
@Suite struct SMIParserTests {
  static func text(_ form: String, _ listing: String) throws -> String {
    let folder = try #require(Bundle.module.url(forResource: "Listings", withExtension: nil))
    return try String(contentsOf: folder.appendingPathComponent("\(form)/\(listing).txt"), encoding: .utf8)
  }

  /// A driver that prints the files of one folder.
  static func driver(_ form: String) -> SMIDriver {
    SMIDriver { (arguments: [String]) throws(DriverError) in
      let name =
        switch arguments.first {
        case nil: "overview"
        case "-L": "list"
        case "mig": String(arguments[1].dropFirst())
        default: "query"
        }
      if name == "overview" { return "| Processes: |\n|  No running processes found |\n" }
      let text = (try? text(form, name)) ?? ""
      // It answers an empty listing with a sentence and a failure.
      if text.hasPrefix("No ") {
        throw DriverError(code: SMIParser.code(of: text), call: "nvidia-smi", detail: text)
      }
      return text
    }
  }

  struct Form: Sendable {
    var folder: String
    var gpu: Int
    var product: String
    /// Profiles that the driver does not know yet.
    var unknown: Set<Int> = []
    var instances: [[Int]]
    var uuids: [String?]
    var version: String
  }

  static let forms = [
    Form(
      folder: "450-a100", gpu: 0, product: "A100-40GB", unknown: [15, 20],
      instances: [[9, 1, 4, 4], [14, 3, 0, 2], [19, 9, 2, 1]],
      uuids: ["/1/0", "/3/0", "/9/0"], version: "450.80.02"),
    Form(
      folder: "535-a100", gpu: 0, product: "A100-40GB", instances: [[9, 2, 0, 4], [19, 13, 6, 1], [20, 7, 4, 1]],
      uuids: [nil, "4a04", "4a03"], version: "535.104.05"),
    Form(
      folder: "550-h100", gpu: 0, product: "H100-80GB-SXM",
      instances: [[9, 1, 4, 4], [14, 3, 2, 2], [15, 5, 0, 2]], uuids: ["4a11", "4a12", "4a13"],
      version: "550.54.15"),
    Form(folder: "spaced-a30", gpu: 1, product: "A30-24GB", instances: [], uuids: [], version: "525.60.13"),
  ]

  @Test(arguments: forms) func everyFormIsReadTheSame(_ form: Form) throws {
    let observed = try Self.driver(form.folder).observe()
    #expect(observed.source == "nvidia-smi" && !observed.simulated)
    #expect(observed.driverVersion == form.version)
    let gpu = try #require(observed.gpus.first { $0.index == form.gpu })
    let product = try #require(ProductCatalogue.product(named: form.product))
    let known = product.profiles.filter { !form.unknown.contains($0.driverProfileID) }
    #expect(gpu.profiles.map(\.id) == known.map(\.driverProfileID).sorted())
    for profile in known {
      let read = try #require(gpu.profile(id: profile.driverProfileID))
      #expect(read.name == profile.name)
      #expect(read.starts == profile.starts)
      #expect(read.size == profile.placementSize)
      #expect(read.computeSlices == profile.computeSlices)
      #expect(read.maxInstances == profile.maxInstances)
      #expect(read.smCount == profile.smCount)
    }
    #expect(gpu.instances.map { [$0.profileID, $0.id, $0.start, $0.size] } == form.instances)
    for (instance, uuid) in zip(gpu.instances, form.uuids) {
      #expect(instance.isWhole == (uuid != nil))
      if let uuid { #expect(instance.uuid?.hasSuffix(uuid) == true) }
    }
  }

  @Test func anInstanceThatIsCutUpIsNotWhole() throws {
    let gpus = try Self.driver("535-a100").observe().gpus
    let cut = try #require(gpus[0].instance(profileID: 9, start: 0))
    #expect(cut.computes.map(\.id) == [0, 1])
    #expect(cut.computes.map { String($0.uuid.suffix(4)) } == ["4a01", "4a02"])
    #expect(gpus[1].mig == ObservedMIGMode(current: false, pending: true))
    #expect(gpus[1].instances.isEmpty)
  }

  @Test func aGPUWithoutMIGStandsBesideOneThatHasIt() throws {
    let gpus = try Self.driver("spaced-a30").observe().gpus
    #expect(gpus.map(\.board) == ["Tesla T4", "NVIDIA A30"])
    #expect(gpus.map { $0.mig == nil } == [true, false])
    #expect(gpus[0].profiles.isEmpty)
    #expect(gpus.map(\.memoryMiB) == [15360, 24576])
  }

  @Test func olderListsOfComputeInstancesHaveNoPlacement() throws {
    let old = SMIParser.computes(try Self.text("450-a100", "lci"))
    #expect(old.map(\.instanceID) == [1, 3, 9])
    #expect(old.allSatisfy { $0.placement == nil })
    let new = SMIParser.computes(try Self.text("535-a100", "lci"))
    #expect(new.map(\.instanceID) == [2, 2, 7, 13])
    #expect(new.map { $0.placement?.start } == [0, 1, 0, 0])
    #expect(new.map { $0.placement?.size } == [1, 2, 1, 1])
  }

  @Test func freeInstancesAreRead() throws {
    let rows = SMIParser.profiles(try Self.text("535-a100", "lgip"))
    #expect(rows.filter { $0.gpu == 0 }.map(\.free) == [1, 0, 0, 0, 0, 0, 0])
    #expect(rows.filter { $0.gpu == 1 }.map(\.free) == [7, 1, 4, 3, 2, 1, 1])
    #expect(rows.first?.memoryGiB == 4.75)
  }

  @Test(arguments: [
    ("No GPU instances found: Not Found", "not_found"),
    ("No MIG-enabled devices found.", "not_supported"),
    ("Unable to create a GPU instance on GPU  0 using profile 9: Insufficient Resources", "insufficient_resources"),
    ("Unable to destroy GPU instance ID  1 from GPU  0: In use by another client", "in_use"),
    ("Failed to list GPU instances: Insufficient Permissions", "no_permission"),
    ("Unable to determine the device handle for GPU 0000:07:00.0: GPU is lost.  Reboot the system", "gpu_is_lost"),
    ("Failed to initialize NVML: Driver/library version mismatch", "lib_rm_version_mismatch"),
    (
      "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA "
        + "driver is installed and running.", "driver_not_loaded"
    ), ("GPU 00000000:0F:00.0 is currently in use by another process.", "in_use"),
    ("Unable to determine the device handle for GPU 0000:0F:00.0: Not Found", "gpu_is_lost"),
    ("Resetting GPU 00000000:0F:00.0 is not supported.", "not_supported"), ("", "unknown"),
  ])
  func whatItSaysHasNVMLsName(_ said: String, _ code: String) { #expect(SMIParser.code(of: said) == code) }

  @Test("point 20: UUIDs are joined only where both listings name as many devices")
  func devicesThatComeBetweenTheListings() throws {
    let node = try SimulatedNode(["A100-80GB"])
    try node.create(9, at: 0)
    try node.create(9, at: 4)
    let smi = try node.machine.smiDriver()
    let program = node.directory.appendingPathComponent("nvidia-smi").path
    let uuids = try smi.observe().gpus[0].instances.flatMap(\.computes).map(\.uuid)
    #expect(Set(uuids).count == 2 && !uuids.contains(""))
    for (stale, isRead) in [(1, true), (2, false)] {
      let asked = Mutex(0)
      let driver = SMIDriver { (arguments: [String]) throws(DriverError) in
        let text = try SMICommand.run(arguments, path: program)
        guard arguments == ["-L"] else { return text }
        let number = asked.withLock { count in
          count += 1
          return count
        }
        // As it was before the second instance.
        return number > stale ? text : text.split(separator: "\n").prefix(2).joined(separator: "\n") + "\n"
      }
      if isRead {
        #expect(try driver.observe().gpus[0].instances.flatMap(\.computes).map(\.uuid) == uuids)
      } else {
        expectDriverError("unknown_text") { _ = try driver.observe() }
      }
    }
  }

  @Test("point 20: listings that contradict the modes are errors, and no sign that instances are gone")
  func listingsThatContradict() throws {
    let node = try SimulatedNode(["A100-80GB"])
    try node.create(9, at: 0)
    _ = try node.machine.smiDriver()
    let program = node.directory.appendingPathComponent("nvidia-smi").path
    let isOff = Mutex(false)
    let driver = SMIDriver { (arguments: [String]) throws(DriverError) in
      if arguments.first == "mig" && isOff.withLock({ $0 }) {
        let said = "No MIG-enabled devices found."
        throw DriverError(code: SMIParser.code(of: said), call: "nvidia-smi mig", detail: said)
      }
      return try SMICommand.run(arguments, path: program)
    }
    for _ in 0..<2 {
      isOff.withLock { $0 = true }
      expectDriverError("unknown_text") { _ = try driver.observe() }
      isOff.withLock { $0 = false }
      #expect(try driver.observe().gpus[0].instances.count == 1)
    }
  }

  @Test(
    "a cell of memory that is no amount leaves its listing unread", arguments: ["nan", "inf", "-1", "1e400", "9e18"])
  func memoryThatIsNone(_ cell: String) throws {
    let text = try Self.text("535-a100", "lgip")
    let row = try #require(SMIParser.profiles(text).first)
    let written = try #require(
      text.split(separator: "\n").first { $0.contains("MIG") }?.split(separator: " ").first {
        Double($0) == row.memoryGiB
      })
    #expect(
      SMIParser.profiles(text.replacingOccurrences(of: written, with: cell)).count < SMIParser.profiles(text).count)
  }

  @Test func onlyWhatSaysSoIsAnEmptyListing() {
    for said in ["No MIG-enabled devices found.", "No GPU instances found: Not Found", "No compute instances found"] {
      #expect(SMIParser.saysNothingIsThere(said))
    }
    for said in ["error: some library was not found", "Option -lgi is not supported", "", "Not Found", "No devices"] {
      #expect(!SMIParser.saysNothingIsThere(said))
    }
  }

  @Test func whatTheUserMayNotSeeIsNotTakenForNothing() throws {
    let driver = SMIDriver { (arguments: [String]) throws(DriverError) in
      if arguments == ["mig", "-lgi"] {
        throw DriverError(code: "no_permission", call: "nvidia-smi", detail: "Insufficient Permissions")
      }
      let name = arguments[0] == "-L" ? "list" : arguments[0] == "mig" ? String(arguments[1].dropFirst()) : "query"
      return (try? Self.text("535-a100", name)) ?? ""
    }
    expectDriverError("no_permission") { _ = try driver.observe() }
  }

  struct Listing: Sendable, CustomTestStringConvertible {
    var lines: [String]
    var indices: [Int]?
    var lost: [Int] = []
    var testDescription: String { lines.joined(separator: " / ") }
  }

  @Test(
    "point 20: a GPU that a listing cannot reach is a lost one, however it is named",
    arguments: [
      Listing(lines: ["0", "GPU 0000:3B:00.0: GPU is lost.  Reboot the system", "2"], indices: [0, 2], lost: [1]),
      Listing(lines: ["GPU1: 0000:3B:00.0: Unknown Error", "0", "2"], indices: [0, 2], lost: [1]),
      Listing(lines: ["0", "GPU 1: Unknown Error"], indices: [0], lost: [1]),
      Listing(
        lines: ["0", "1", "gpu 0000:3B:00.0: GPU is lost", "GPU0000:5E:00.0: GPU is lost"], indices: [0, 1],
        lost: [2, 3]),
      Listing(lines: ["GPU 0000:3B:00.0: GPU is lost"], indices: [], lost: [0]),
      Listing(lines: ["0", "3"], indices: [0, 3], lost: [1, 2]),
      Listing(lines: ["0", "GPU 99999999999: Unknown Error"], indices: [0], lost: [1]),
      Listing(lines: ["0", "WARNING: infoROM is corrupted at gpu 0000:3B:00.0"], indices: [0]),
      Listing(lines: ["0", ">GPU 1: NVIDIA A100 <UUID GPU-1>"]),
      Listing(lines: ["0", ">  MIG 1g.10gb <UUID MIG-1>"]),
    ]) func lostGPUsInAListing(_ listing: Listing)
  {
    let text = listing.lines.map { line in
      if let index = Int(line) { return "GPU \(index): NVIDIA A100 (UUID: GPU-\(index))" }
      if line.hasPrefix(">") { return String(line.dropFirst()) }
      return line.hasPrefix("WARNING") ? line : "Unable to determine the device handle for \(line)"
    }.joined(separator: "\n")
    let rows = SMIParser.list(text)
    var indices: [Int] = []
    var lost: [Int] = []
    for row in rows ?? [] {
      switch row {
      case .gpu(let index, _, _): indices.append(index)
      case .lost(let index): lost.append(index)
      case .mig: Issue.record("a MIG device was made up")
      }
    }
    #expect(rows == nil ? listing.indices == nil : indices == listing.indices)
    #expect(lost == listing.lost)
  }

  @Test(
    "point 20: no GPU is missed in a listing, whichever are lost and however that is said",
    arguments: 0..<200 as Range<UInt64>)
  func everyGPUOfAListingCounts(_ seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let count = Int.random(in: 1...16, using: &random)
    let isNamed = Bool.random(using: &random)
    let isInPlace = isNamed || Bool.random(using: &random)
    var (there, lost): ([Int], [Int]) = ([], [])
    var (lines, last): ([String], [String]) = ([], [])
    for index in 0..<count {
      if Int.random(in: 0..<3, using: &random) > 0 {
        there.append(index)
        lines.append("GPU \(index): NVIDIA A100 (UUID: GPU-\(index))")
        for device in 0..<Int.random(in: 0...2, using: &random) {
          lines.append("  MIG 1g.10gb     Device  \(device): (UUID: MIG-\(index)-\(device))")
        }
      } else {
        lost.append(index)
        let name = isNamed ? "GPU\(Bool.random(using: &random) ? " " : "")\(index)" : "GPU 0000:\(10 + index):00.0"
        let line = "Unable to determine the device handle for \(name): Unknown Error"
        if isInPlace { lines.append(line) } else { last.append(line) }
      }
    }
    // On another stream they come after all others.
    let rows = SMIParser.list((lines + last).joined(separator: "\n")) ?? []
    #expect(rows.compactMap { if case .gpu(let index, _, _) = $0 { index } else { nil } } == there, "seed \(seed)")
    #expect(rows.compactMap { if case .lost(let index) = $0 { index } else { nil } } == lost, "seed \(seed)")
    for case .mig(let gpu, _, _, let uuid) in rows { #expect(uuid.hasPrefix("MIG-\(gpu)-"), "seed \(seed)") }
  }

  @Test(
    "point 20: a GPU that a query cannot reach is a lost one and not one without MIG",
    arguments: [("[GPU is lost]", "gpu_is_lost"), ("[Unknown Error]", "unknown"), (nil, "gpu_is_lost")])
  func lostGPUsInAQuery(_ cell: String?, _ code: String) throws {
    let driver = SMIDriver { (arguments: [String]) throws(DriverError) in
      switch arguments.first {
      case "-L": "GPU 0: NVIDIA A30 (UUID: GPU-0)\nGPU 1: NVIDIA A30 (UUID: GPU-1)\n"
      case "-i": "| Processes: |\n|  No running processes found |\n"
      case "mig": throw DriverError(code: "not_supported", call: "mig", detail: "No MIG-enabled devices found.")
      case nil: throw DriverError(code: "gpu_is_lost", call: "nvidia-smi", detail: "Unable to determine")
      default:
        "1, 550.54.15, 00000000:1B:00.0, 24576, Disabled, Disabled\n"
          + (cell.map { "0, 550.54.15, 00000000:0B:00.0, \($0), \($0), \($0)\n" } ?? "")
      }
    }
    let gpus = try driver.observe().gpus
    #expect(gpus.map(\.fault) == [code, nil])
    #expect(gpus.map(\.uuid) == ["GPU-0", "GPU-1"])
    #expect(gpus.map(\.processesUnknown) == [nil, nil])
    expectDriverError(code) { _ = try driver.observe(gpu: "GPU-0") }
  }

  @Test func processesAreReadInEveryForm() {
    #expect(SMIParser.processes("no such table") == nil)
    let none =
      "| Processes: |\n|  GPU   GI   CI  PID   Type   Process name  GPU Memory |\n|  No running processes found |\n"
    #expect(SMIParser.processes(none) == [])
    let some = """
      | Processes:                                                                  |
      |  GPU   GI   CI        PID   Type   Process name                  GPU Memory |
      |        ID   ID                                                   Usage      |
      |=============================================================================|
      |    0    9    0      12345      C   ...conda/envs/a b/bin/python     1071MiB |
      |    1  N/A  N/A        777      G   /usr/lib/xorg/Xorg                   N/A |
      |    0    9    0      12346    M+C   server                             20MiB |
      +-----------------------------------------------------------------------------+
      """
    #expect(
      SMIParser.processes(some) == [
        SMIParser.ProcessRow(
          gpu: 0, instanceID: 9, computeID: 0, pid: 12345, name: "...conda/envs/a b/bin/python", memoryMiB: 1071),
        SMIParser.ProcessRow(gpu: 1, pid: 777, name: "/usr/lib/xorg/Xorg"),
        SMIParser.ProcessRow(gpu: 0, instanceID: 9, computeID: 0, pid: 12346, name: "server", memoryMiB: 20),
      ])
    #expect(SMIParser.processes(some + "\n|    0   12345      C   python3     1071MiB |") == nil)
  }

  /// A program of that name in place of NVIDIA's: what is run is nvidia-smi itself.
  @Test func theCommandIsRunAndItsFailureNamed() throws {
    let directory = scratchDirectory()
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let path = directory.appendingPathComponent("nvidia-smi").path
    try "#!/bin/sh\necho 'No devices were found' >&2\nexit 6\n".write(
      toFile: path, atomically: true, encoding: .utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    let error = #expect(throws: DriverError.self) { _ = try SMIDriver(path: path) }
    #expect(error?.detail == "No devices were found")
    expectDriverError("nvidia_smi_missing") { _ = try SMIDriver(path: "/nowhere/nvidia-smi") }
  }
}
