import ArgumentParser
import Foundation
import ParvaFormats
import ParvaNode
import ParvaStandIn
import ParvaWire

/// Which GPUs the node verbs speak to, and where the node keeps its records.
struct NodeDriverOptions: ParsableArguments {
  @Option(name: .long, help: "Path of the NVML library (default: libnvidia-ml.so.1 as the linker finds it).")
  var nvml: String?

  @Option(
    name: .long,
    help: "How the driver is spoken to: nvml or nvidia-smi (default: NVML, and nvidia-smi where it cannot be loaded).")
  var driver: DriverKind?

  @Option(
    name: .long,
    help: """
      Simulate a machine instead of using a driver: \(SimulatedMachine.named.map(\.name).joined(separator: ", ")), \
      or PRODUCTxCOUNT such as A100-80GBx2. @RELEASE names the driver's (\(DriverRelease.known.map(\.name).joined(
        separator: ", "))), and +caps makes it ask for capability nodes.
      """)
  var simulate: String?

  @Option(name: .long, help: "Name of the node (default: the host's name).")
  var name: String?

  @Option(
    name: .long,
    help: """
      Folder of the node's records: journal, verified plan, logs (default: /var/lib/parva/node, or for other users \
      ~/.local/state/parva/node).
      """)
  var stateDir: String?

  func validate() throws {
    if nvml != nil && simulate != nil { throw ValidationError("--nvml and --simulate exclude each other.") }
    if let name, !NodeSpecReader.isName(name) {
      throw ValidationError("--name '\(name)': a node's name is \(NodeSpecReader.nameRule).")
    }
  }

  var nodeName: String { name ?? ProcessInfo.processInfo.hostName }

  var directory: URL {
    if let stateDir { return URL(fileURLWithPath: stateDir) }
    if getuid() == 0 { return URL(fileURLWithPath: "/var/lib/parva/node") }
    return FileManager.default.homeDirectoryForCurrentUser.appendingPathComponent(".local/state/parva/node")
  }

  /// Opens the driver; a missing one is an unexpected failure with the ways out.
  ///
  /// - Parameters:
  ///   - replaces: whether a simulated machine that is there becomes the one that is described; for who holds the node's
  ///     lock.
  ///   - announce: is told once of what machine the driver is, where it is simulated.
  func opened(replaces: Bool = false, announce: (String) -> Void = Self.announced) throws -> any GPUDriver {
    do {
      return try found(replaces: replaces, announce: announce).get()
    } catch let error as DriverError {
      throw CommandFailure(.unexpected, error.description)
    }
  }

  private static func announced(_ machine: String) { Console.error("simulated: \(machine); no hardware is touched") }

  /// The driver, or why there is none.
  ///
  /// - Parameter folder: of the simulated machine, where it is not to be the node's own.
  func found(
    replaces: Bool = false, in folder: URL? = nil, announce: (String) -> Void = Self.announced
  ) throws -> Result<any GPUDriver, DriverError> {
    do {
      guard let machine = try machine(replaces: replaces, in: folder ?? simulatedDirectory) else {
        return Result { () throws(DriverError) in try whole(try DriverChoice.open(driver, nvmlPath: nvml)) }
      }
      announce(simulate ?? "")
      let simulated: any GPUDriver = driver == .nvidiaSMI ? try machine.smiDriver() : try machine.driver()
      return .success(try whole(simulated))
    } catch let failure as SimulatedMachine.Failure {
      switch failure {
      case .unknownMachine, .unknownRelease: throw ValidationError(failure.description)
      case .differs, .strange: throw CommandFailure(.badInput, failure.description)
      case .libraryMissing, .notWritable: throw CommandFailure(.unexpected, failure.description)
      }
    } catch let error as DriverError {
      return .failure(error)
    }
  }

  /// The driver with GPUs without MIG as wholes.
  private func whole(_ driver: any GPUDriver) throws(DriverError) -> WholeGPUDriver {
    try WholeGPUDriver(driver, directory: directory)
  }

  private func machine(replaces: Bool, in folder: URL) throws -> SimulatedMachine? {
    guard let simulate else { return nil }
    let described = try SimulatedMachine.described(simulate, node: nodeName)
    return try SimulatedMachine(
      directory: folder, gpus: described.gpus, release: described.release,
      isGuarded: described.isGuarded, replaces: replaces)
  }

  /// A folder for a simulated machine that nothing is to be left of; nil where the node has one, or none is simulated.
  var passingDirectory: URL? {
    if simulate == nil
      || FileManager.default.fileExists(atPath: simulatedDirectory.appendingPathComponent("config").path)
    {
      return nil
    }
    return FileManager.default.temporaryDirectory.appendingPathComponent("parva-\(UUID().uuidString)")
  }

  private var simulatedDirectory: URL { directory.appendingPathComponent("simulated") }

  /// What lies before `/dev` and `/proc` of a simulated machine; nil for this one.
  var simulatedRoot: String? { simulate == nil ? nil : simulatedDirectory.path }

  /// Where MPS daemons have their sockets, unless an option says otherwise.
  func runDirectory(_ given: String?) -> URL {
    if let given { return URL(fileURLWithPath: given) }
    if stateDir == nil && getuid() == 0 { return URL(fileURLWithPath: "/run/parva/node") }
    return directory.appendingPathComponent("run")
  }

  func store() throws -> NodeStore {
    do {
      return try NodeStore(directory: directory)
    } catch {
      throw CommandFailure(.unexpected, "\(directory.path) cannot be made: \(error.localizedDescription)")
    }
  }

  /// The node's lock, for what changes the node.
  func locked(_ store: NodeStore) throws -> NodeLock {
    do {
      return try NodeLock.take(in: store.directory)
    } catch {
      throw CommandFailure(.unexpected, error.description)
    }
  }

  /// What is on record, for what only looks.
  func known() throws -> NodeStore.Known {
    do {
      return try NodeStore(reading: directory).known()
    } catch {
      throw CommandFailure(.unexpected, "\(error.code): \(error)")
    }
  }

  func observe(_ driver: any GPUDriver) throws -> ObservedNode {
    do {
      return try driver.observe()
    } catch {
      throw CommandFailure(.unexpected, error.description)
    }
  }
}

extension DriverKind: ExpressibleByArgument {}

/// The state that a verb wants, from a file in one of two forms.
struct NodeFileOptions: ParsableArguments {
  @Option(
    name: [.customShort("f"), .customLong("file")],
    help: "What is wanted: our JSON or YAML, or mig-parted's YAML; - is standard input.")
  var file: String

  @Option(name: .long, help: "Which configuration of a mig-parted file.")
  var config: String?

  @Flag(name: .long, help: "Take over instances that stand exactly where one is wanted, whoever made them.")
  var adopt = false

  func wanted(on node: ObservedNode, known: NodeStore.Known) throws -> NodeAssignment {
    let source = try InputSource.load(file)
    guard MigPartedReader.isMigParted(source) else { return try NodeAssignmentReader.read(source) }
    do {
      return try MigPartedMapping.wanted(
        try MigPartedReader.read(source), named: config, on: node, owned: known.owned(on: node.gpus),
        revision: known.nextRevision, adopt: adopt)
    } catch let refusal as MigPartedMapping.Refusal {
      throw CommandFailure(.badInput, "\(file): \(refusal.message) [\(refusal.code)]")
    }
  }
}
