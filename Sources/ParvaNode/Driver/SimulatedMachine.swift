package import Foundation
package import ParvaEngine

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
    case libraryMissing([String])
    case notWritable(String)

    package var description: String {
      switch self {
      case .unknownMachine(let name, let known):
        "no simulated machine is named \(name); there are \(known.joined(separator: ", ")), or PRODUCTxCOUNT"
      case .libraryMissing(let tried):
        "the stand-in driver library is not beside the program; looked for \(tried.joined(separator: ", "))"
      case .notWritable(let path): "\(path) cannot be written"
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

  /// Makes or renews the folder. The library is looked for beside the running program unless it is given.
  package init(directory: URL, gpus: [GPU], standIn: URL? = nil, structVersion: Int = 3) throws(Failure) {
    self.directory = directory
    uuids = gpus.map(\.uuid)
    let source: URL
    if let standIn { source = standIn } else { source = try Self.standInLibrary() }
    do {
      try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
      // A copy, never a link: the linker would take two links to one file for one library and so for one machine.
      if !FileManager.default.fileExists(atPath: library.path)
        || !FileManager.default.contentsEqual(atPath: source.path, andPath: library.path)
      {
        let fresh = directory.appendingPathComponent(".\(Self.libraryName).new")
        try? FileManager.default.removeItem(at: fresh)
        try FileManager.default.copyItem(at: source, to: fresh)
        try? FileManager.default.removeItem(at: library)
        try FileManager.default.moveItem(at: fresh, to: library)
      }
      try Self.configuration(gpus, structVersion: structVersion).write(
        to: directory.appendingPathComponent("config"), atomically: true, encoding: .utf8)
    } catch {
      throw .notWritable(directory.path)
    }
  }

  package func driver() throws(DriverError) -> NVMLDriver {
    try NVMLDriver(path: library.path) { (uuid: String) throws(DriverError) in try reset(gpu: uuid) }
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
  package static func standInLibrary() throws(Failure) -> URL {
    let program = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    let folders = [program, CommandLine.arguments.first ?? ""].map {
      URL(fileURLWithPath: $0).deletingLastPathComponent()
    }
    let tried = folders.flatMap { [$0, $0.appendingPathComponent("../lib/parva")] }.map {
      $0.appendingPathComponent("libStandInNVML.so")
    }
    guard let found = tried.first(where: { FileManager.default.fileExists(atPath: $0.path) }) else {
      throw .libraryMissing(tried.map(\.path))
    }
    return found
  }

  private static func configuration(_ gpus: [GPU], structVersion: Int) -> String {
    var lines = ["driver 570.0.SIMULATED", "cuda 12080", "structs \(structVersion)"]
    var products: [GPUProduct] = []
    for gpu in gpus where !products.contains(gpu.product) {
      products.append(gpu.product)
      let product = gpu.product
      let whole = product.profiles.compactMap(\.memoryMiB).max() ?? product.axisLength * 10_240
      let board = product.boards.first ?? "NVIDIA \(product.name)"
      lines.append(
        "product \(product.computeSlices) \(product.axisLength) \(product.migModeChangeNeedsReset ? 1 : 0) \(whole) "
          + board)
      for (index, profile) in product.profiles.enumerated() {
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
