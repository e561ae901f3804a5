package import Foundation
package import ParvaEngine
package import ParvaNode

/// A folder that the stand-in library makes a machine of: a copy of the library beside a description of its GPUs.
///
/// Everything it reports is labelled simulated through its driver version. The folder is kept from run to run, so
/// instances live on; removing its `state` file is a reboot.
package struct SimulatedMachine: Sendable {
  package struct GPU: Sendable {
    package var product: GPUProduct
    package var uuid: String
    /// MIG mode of a board that nobody has touched yet.
    package var migEnabled: Bool

    package init(product: GPUProduct, uuid: String, migEnabled: Bool = true) {
      self.product = product
      self.uuid = uuid
      self.migEnabled = migEnabled
    }
  }

  package enum Failure: Error, Sendable, CustomStringConvertible {
    case unknownMachine(String, known: [String])
    case unknownRelease(String)
    case libraryMissing([String])
    case notWritable(String, reason: String)
    /// The folder holds another machine, which somebody may be using.
    case differs(String)
    /// A library that is not the stand-in of this build.
    case strange(String)

    package var description: String {
      switch self {
      case .unknownMachine(let name, let known):
        "no simulated machine is named \(name); there are \(known.joined(separator: ", ")), or PRODUCTxCOUNT, each with "
          + "@RELEASE and +caps where wanted"
      case .unknownRelease(let name):
        "no driver release is named \(name); there are \(DriverRelease.known.map(\.name).joined(separator: ", "))"
      case .libraryMissing(let tried):
        "the stand-in driver library is not beside the program; looked for \(tried.joined(separator: ", "))"
      case .notWritable(let path, let reason): "\(path) cannot be written: \(reason)"
      case .differs(let path):
        "simulated_machine_differs: \(path) is another simulated machine, and looking at one changes none: give the "
          + "--simulate and --name that it was made with, or a --state-dir of its own"
      case .strange(let path):
        "\(path) is not the stand-in of this build, and root loads no other: let the folder's owner run an apply, which "
          + "renews it, or remove it"
      }
    }
  }

  package static let libraryName = "libnvidia-ml.so.1"
  /// Named machines: product and number of GPUs.
  package static let named: [(name: String, product: String, count: Int)] = [
    ("dgx-a100", "A100-80GB", 8), ("dgx-a100-40gb", "A100-40GB", 8), ("dgx-h100", "H100-80GB-SXM", 8),
    ("dgx-h200", "H200-141GB", 8), ("dgx-b200", "B200-180GB", 8), ("a30x4", "A30-24GB", 4),
  ]

  package let directory: URL
  private let uuids: [String]
  package var library: URL { directory.appendingPathComponent(Self.libraryName) }

  /// The GPUs of a named machine or of `PRODUCTxCOUNT`. UUIDs follow from `node` and the index, so that a restart and
  /// another machine with the same name agree on them and two nodes differ.
  package static func gpus(_ name: String, node: String) throws(Failure) -> [GPU] {
    var found = named.first { $0.name == name.lowercased() }.map { ($0.product, $0.count) }
    if found == nil, let cut = name.lastIndex(of: "x"), let count = Int(name[name.index(after: cut)...]) {
      found = (String(name[..<cut]), count)
    }
    guard let (productName, count) = found, (1...16).contains(count),
      let product = ProductCatalogue.product(named: productName)
    else { throw .unknownMachine(name, known: named.map(\.name)) }
    return (0..<count).map { GPU(product: product, uuid: uuid(node: node, index: $0)) }
  }

  /// A hash of the node's name and the index, written as a GPU UUID.
  private static func uuid(node: String, index: Int) -> String {
    func hash(_ salt: String) -> UInt64 { StableHash.value(of: "\(salt)/\(node)/\(index)") }
    func hex(_ value: UInt64, _ digits: Int) -> String {
      let text = String(value, radix: 16)
      return String((String(repeating: "0", count: 16) + text).suffix(digits))
    }
    let (a, b) = (hash("a"), hash("b"))
    return "GPU-\(hex(a >> 32, 8))-\(hex(a >> 16, 4))-5\(hex(a, 3))-8\(hex(b >> 48, 3))-\(hex(b, 12))"
  }

  /// What `--simulate` takes: `NAME`, `NAME@RELEASE`, and either with `+caps` for a machine that asks for capability nodes.
  package struct Description: Sendable {
    package var gpus: [GPU]
    package var release: DriverRelease
    package var isGuarded: Bool
  }

  package static func described(_ text: String, node: String) throws(Failure) -> Description {
    let isGuarded = text.hasSuffix("+caps")
    let parts = (isGuarded ? text.dropLast(5) : text[...]).split(
      separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
    let name = parts.first.map(String.init) ?? ""
    var release = DriverRelease.usual
    if parts.count == 2 {
      guard let found = DriverRelease.known.first(where: { $0.name == parts[1] }) else {
        throw .unknownRelease(String(parts[1]))
      }
      release = found
    }
    return Description(gpus: try gpus(name, node: node), release: release, isGuarded: isGuarded)
  }

  /// Makes or renews the folder. The library is looked for beside the running program unless it is given. With `isGuarded`
  /// the machine asks for the capability nodes that the driver asks for, and has none of them yet. Where one is already and
  /// `replaces` is not set, it is left as it is, and has to be the one that is described.
  package init(
    directory: URL, gpus: [GPU], standIn: URL? = nil, release: DriverRelease = .usual, isGuarded: Bool = false,
    replaces: Bool = true
  ) throws(Failure) {
    self.directory = directory
    uuids = gpus.map(\.uuid)
    let described = Self.configuration(gpus, release)
    let mark = Self.mark(described, isGuarded)
    let config = directory.appendingPathComponent("config")
    let source: URL
    if let standIn { source = standIn } else { source = try Self.standInLibrary() }
    if !replaces, let there = try? String(contentsOf: config, encoding: .utf8),
      FileManager.default.fileExists(atPath: library.path)
    {
      guard there.hasPrefix(mark) else { throw .differs(directory.path) }
      // What a user may have put there is no code for root to run.
      if geteuid() == 0, let newest = try? Data(contentsOf: source),
        (try? Data(contentsOf: library)) != release.library(newest)
      {
        throw .strange(library.path)
      }
      return
    }
    do {
      try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
      // A copy, never a link: the linker would take two links to one file for one library and so for one machine.
      let wanted = release.library(try Data(contentsOf: source))
      if (try? Data(contentsOf: library)) != wanted {
        let fresh = directory.appendingPathComponent(".\(Self.libraryName).new")
        try? FileManager.default.removeItem(at: fresh)
        try wanted.write(to: fresh)
        try? FileManager.default.removeItem(at: library)
        try FileManager.default.moveItem(at: fresh, to: library)
      }
      try (mark + described).write(to: config, atomically: true, encoding: .utf8)
      if isGuarded { try guardCapabilities() }
    } catch {
      throw .notWritable(directory.path, reason: Self.reason(error))
    }
  }

  /// The system's own words where Foundation has them below its own.
  private static func reason(_ error: any Error) -> String {
    var found = error as NSError
    while let below = found.userInfo[NSUnderlyingErrorKey] as? NSError { found = below }
    if found.domain == NSPOSIXErrorDomain { return String(cString: strerror(Int32(found.code))) }
    return found.localizedDescription
  }

  package func driver() throws(DriverError) -> NVMLDriver {
    try NVMLDriver(path: library.path, proc: directory.appendingPathComponent("proc").path) {
      (uuid: String) throws(DriverError) in try reset(gpu: uuid)
    }
  }

  /// Major number of the capability nodes, as `proc/devices` has it.
  private static let capabilityMajor = 238

  /// The files that the driver's own are told by: which nodes there are, and an empty folder for them.
  private func guardCapabilities() throws {
    let files = FileManager.default
    let driver = directory.appendingPathComponent("proc/driver/nvidia-caps")
    try files.createDirectory(at: driver, withIntermediateDirectories: true)
    try files.createDirectory(
      at: directory.appendingPathComponent("dev/nvidia-caps"), withIntermediateDirectories: true)
    var names = ["config", "monitor"]
    for gpu in uuids.indices {
      for instance in 0..<Self.instanceIDs {
        names.append("gpu\(gpu)/gi\(instance)/access")
        for compute in 0..<8 { names.append("gpu\(gpu)/gi\(instance)/ci\(compute)/access") }
      }
    }
    let minors = names.enumerated().map { "\($0.element) \($0.offset + 1)\n" }.joined()
    try minors.write(to: driver.appendingPathComponent("mig-minors"), atomically: true, encoding: .utf8)
    try "Character devices:\n195 nvidia\n\(Self.capabilityMajor) nvidia-caps\n\nBlock devices:\n".write(
      to: directory.appendingPathComponent("proc/devices"), atomically: true, encoding: .utf8)
  }

  /// GPU instance ids that the stand-in gives.
  private static let instanceIDs = 32

  /// The same machine through its nvidia-smi, which the folder gets a link to: a copy could not be started while any other
  /// process that is just being made has it open for writing.
  package func smiDriver() throws -> SMIDriver {
    let program = directory.appendingPathComponent("nvidia-smi").path
    let source = try Self.beside("StandInSMI").path
    let files = FileManager.default
    do {
      if (try? files.destinationOfSymbolicLink(atPath: program)) != source {
        try? files.removeItem(atPath: program)
        try files.createSymbolicLink(atPath: program, withDestinationPath: source)
      }
    } catch {
      throw Failure.notWritable(directory.path, reason: Self.reason(error))
    }
    return try SMIDriver(path: program, proc: directory.appendingPathComponent("proc").path)
  }

  /// Asks for what `nvidia-smi -r` does; the stand-in carries it out at its next call.
  package func reset(gpu uuid: String) throws(DriverError) {
    let file = directory.appendingPathComponent("reset")
    guard let index = uuids.firstIndex(of: uuid),
      (try? "\(index)\n".write(to: file, atomically: true, encoding: .utf8)) != nil
    else {
      throw DriverError(code: DriverError.notFound, call: "reset", detail: "the simulated \(uuid) cannot be reset")
    }
  }

  /// The stand-in as the build leaves it, beside the program.
  package static func standInLibrary() throws(Failure) -> URL { try beside("libStandInNVML.so") }

  private static func beside(_ name: String) throws(Failure) -> URL {
    let program = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    let folders = [program, CommandLine.arguments.first ?? ""].map {
      URL(fileURLWithPath: $0).deletingLastPathComponent()
    }
    let tried = folders.flatMap { [$0, $0.appendingPathComponent("../lib/parva")] }.map {
      $0.appendingPathComponent(name)
    }
    guard let found = tried.first(where: { FileManager.default.fileExists(atPath: $0.path) }) else {
      throw .libraryMissing(tried.map(\.path))
    }
    return found
  }

  /// The first line of `config`: what it was made from, whatever was changed in it since.
  private static func mark(_ configuration: String, _ isGuarded: Bool) -> String {
    "# \(StableHash.value(of: "\(isGuarded) \(configuration)"))\n"
  }

  private static func configuration(_ gpus: [GPU], _ release: DriverRelease) -> String {
    var lines = release.lines
    var products: [GPUProduct] = []
    for gpu in gpus where !products.contains(gpu.product) {
      products.append(gpu.product)
      let product = gpu.product
      let whole =
        product.profiles.compactMap(\.memoryMiB).max() ?? (product.hasMIG ? product.axisLength * 10_240 : 49_152)
      let board = product.boards.first ?? "NVIDIA \(product.name)"
      lines.append(
        "product \(product.computeSlices) \(product.axisLength) \(product.migModeChangeNeedsReset ? 1 : 0) \(whole) "
          + board)
      // A product without profiles has no MIG mode.
      for (index, profile) in product.profiles.enumerated() where product.hasMIG {
        // Where the tables do not know a figure the simulation takes a plausible one.
        let memory = profile.memoryMiB ?? profile.placementSize * 10_240
        let sms = profile.smCount ?? profile.computeSlices * 14
        let starts = profile.starts.map(String.init).joined(separator: ",")
        lines.append(
          "profile \(profile.nvmlProfile ?? index) \(profile.driverProfileID) \(profile.computeSlices) "
            + "\(profile.placementSize) \(profile.maxInstances) \(memory) \(sms) \(starts) \(profile.name)")
      }
    }
    for gpu in gpus {
      let product = products.firstIndex(of: gpu.product) ?? 0
      lines.append("gpu \(product) \(gpu.uuid) \(gpu.migEnabled ? 1 : 0)")
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
