import Foundation
import ParvaEngine
import ParvaStandIn
import ParvaWire
import Testing

@testable import ParvaNode

/// A stand-in machine in a folder of its own, which goes with the last user of its driver.
final class SimulatedNode: Sendable {
  private final class Folder: Sendable {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("parva-node-\(UUID().uuidString)")
    deinit { try? FileManager.default.removeItem(at: url) }
  }

  let machine: SimulatedMachine
  let driver: NVMLDriver
  var directory: URL { machine.directory }

  init(
    _ products: [String], migEnabled: Bool = true, release: DriverRelease = .usual, isGuarded: Bool = false
  ) throws {
    let folder = Folder()
    let gpus = try products.enumerated().map { index, name in
      guard let product = ProductCatalogue.product(named: name) else { throw Missing.product(name) }
      return SimulatedMachine.GPU(
        product: product, uuid: "GPU-00000000-0000-5000-8000-00000000000\(index)", migEnabled: migEnabled)
    }
    machine = try SimulatedMachine(directory: folder.url, gpus: gpus, release: release, isGuarded: isGuarded)
    let machine = machine
    let proc = machine.directory.appendingPathComponent("proc").path
    driver = try NVMLDriver(path: machine.library.path, proc: proc) { (uuid: String) throws(DriverError) in
      try withExtendedLifetime(folder) { () throws(DriverError) in try machine.reset(gpu: uuid) }
    }
  }

  enum Missing: Error { case product(String) }

  static func uuid(_ index: Int) -> String { "GPU-00000000-0000-5000-8000-00000000000\(index)" }

  func gpu(_ index: Int = 0) throws -> ObservedGPU { try driver.observe(gpu: Self.uuid(index)) }

  /// Writes the stand-in's `faults`; none removes it.
  func setFaults(_ lines: [String]) throws { try replace("faults", lines) }
  /// Adds lines to the stand-in's `config`.
  func configure(_ lines: [String]) throws {
    let file = directory.appendingPathComponent("config")
    let text = try String(contentsOf: file, encoding: .utf8)
    try (text + lines.map { $0 + "\n" }.joined()).write(to: file, atomically: true, encoding: .utf8)
  }

  /// Writes the stand-in's `silent`: processes that keep a device and are in no list.
  func setSilent(_ lines: [String]) throws { try replace("silent", lines) }
  /// Writes the stand-in's `processes`.
  func setProcesses(_ lines: [String]) throws { try replace("processes", lines) }
  /// Forgets all instances, as a reboot does.
  func reboot() throws { try FileManager.default.removeItem(at: directory.appendingPathComponent("state")) }

  private func replace(_ name: String, _ lines: [String]) throws {
    let file = directory.appendingPathComponent(name)
    try? FileManager.default.removeItem(at: file)
    if lines.isEmpty { return }
    try (lines.joined(separator: "\n") + "\n").write(to: file, atomically: true, encoding: .utf8)
  }

  /// Makes one whole instance and answers it as read back.
  @discardableResult
  func create(_ profileID: Int, at start: Int, gpu: Int = 0) throws -> ObservedInstance {
    let id = try driver.createInstance(gpu: Self.uuid(gpu), profileID: profileID, start: start)
    try driver.createCompute(gpu: Self.uuid(gpu), instance: id)
    guard let made = try self.gpu(gpu).instances.first(where: { $0.id == id }) else {
      throw DriverError(code: "not_found", call: "test", detail: "not read back")
    }
    return made
  }
}

/// Expects a driver error with this code.
func expectDriverError(
  _ code: String, sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) {
  let error = #expect(throws: DriverError.self, sourceLocation: sourceLocation) { try body() }
  #expect(error?.code == code, sourceLocation: sourceLocation)
}
