package import Foundation
import ParvaEngine
package import ParvaWire
import Synchronization

/// A driver that also gives GPUs without MIG away, each as a whole: it shows the one place of their product, and what was made
/// there as an instance, of which nothing but a record is made. All else it passes on.
///
/// So a plan is applied, journalled, read back and undone in one way. The record outlives the agent as instances do; MIG is never
/// touched on such a GPU.
package final class WholeGPUDriver: GPUDriver {
  /// What was given away of one GPU.
  private struct Given: Codable {
    var instance: Int
    var hasCompute: Bool
  }

  private struct Record: Codable {
    var given: [String: Given] = [:]
    /// Instances are told apart from those that stood there before.
    var next = 1
  }

  private let driver: any GPUDriver
  private let path: String
  private let record: Mutex<Record>

  /// - Parameter directory: where the record is kept.
  package init(_ driver: any GPUDriver, directory: URL) throws(DriverError) {
    self.driver = driver
    path = directory.appendingPathComponent("whole-gpus.json").path
    do {
      let data = try AtomicFile.read(path)
      record = Mutex(try data.map { try JSONDecoder().decode(Record.self, from: $0) } ?? Record())
    } catch {
      throw DriverError(
        code: "record_unreadable", call: "open",
        detail: "\(path), the record of GPUs without MIG that are in use, cannot be read: \(error)")
    }
  }

  /// Whether a GPU is given away as a whole. O(products).
  private static func isWhole(_ gpu: ObservedGPU) -> Bool {
    gpu.mig == nil && gpu.fault == nil
      && ProductCatalogue.all.contains { !$0.hasMIG && $0.boards.contains(gpu.board) }
  }

  private func shown(_ gpu: ObservedGPU, _ record: Record) -> ObservedGPU {
    guard Self.isWhole(gpu) else { return gpu }
    var gpu = gpu
    gpu.profiles = [
      ObservedProfile(
        id: 0, name: GPUProduct.wholeName, computeSlices: 1, size: 1, starts: [0], maxInstances: 1,
        memoryMiB: gpu.memoryMiB ?? 0, smCount: 0)
    ]
    guard let given = record.given[gpu.uuid] else { return gpu }
    let computes =
      given.hasCompute
      ? [
        ObservedCompute(
          id: 0, profileID: 0, smCount: 0, full: true, uuid: gpu.uuid, processes: gpu.processes,
          processesUnknown: gpu.processesUnknown)
      ] : []
    gpu.instances = [ObservedInstance(id: given.instance, profileID: 0, start: 0, size: 1, computes: computes)]
    if given.hasCompute { gpu.processes = [] }
    return gpu
  }

  /// Changes the record of a whole GPU; nil where the GPU is none, or where `body` leaves the call to the driver.
  private func change<Value: Sendable>(
    _ uuid: String, _ call: String, _ body: (ObservedGPU, inout Record) throws(DriverError) -> Value
  ) throws(DriverError) -> Value? {
    let gpu = try driver.observe(gpu: uuid)
    guard Self.isWhole(gpu) else { return nil }
    return try record.withLock { (record) throws(DriverError) in
      var changed = record
      let value = try body(gpu, &changed)
      do {
        try AtomicFile.write(try JSONEncoder().encode(changed), to: path)
      } catch {
        throw DriverError(code: "record_not_written", call: call, detail: "\(path) cannot be written: \(error)")
      }
      record = changed
      return value
    }
  }

  package func observe() throws(DriverError) -> ObservedNode {
    var node = try driver.observe()
    let record = record.withLock { $0 }
    node.gpus = node.gpus.map { shown($0, record) }
    return node
  }

  package func observe(gpu uuid: String) throws(DriverError) -> ObservedGPU {
    shown(try driver.observe(gpu: uuid), record.withLock { $0 })
  }

  package func createInstance(gpu uuid: String, profileID: Int, start: Int) throws(DriverError) -> Int {
    let made = try change(uuid, "create") { (gpu, record) throws(DriverError) in
      guard profileID == 0, start == 0, record.given[uuid] == nil else {
        throw DriverError(
          code: "insufficient_resources", call: "create", detail: "\(uuid) is one place, and it is taken")
      }
      if let process = gpu.processes.first {
        throw DriverError(
          code: DriverError.inUse, call: "create",
          detail:
            "process \(process.pid) (\(process.name)) uses \(uuid), which is to be given away as a whole: end it first")
      }
      let instance = record.next
      record.next += 1
      record.given[uuid] = Given(instance: instance, hasCompute: false)
      return instance
    }
    if let made { return made }
    return try driver.createInstance(gpu: uuid, profileID: profileID, start: start)
  }

  package func createCompute(gpu uuid: String, instance: Int) throws(DriverError) {
    let made = try change(uuid, "create") { (_, record) throws(DriverError) in
      guard record.given[uuid]?.instance == instance else {
        throw DriverError(code: DriverError.notFound, call: "create", detail: "\(uuid) has no instance \(instance)")
      }
      record.given[uuid]?.hasCompute = true
      return true
    }
    if made == nil { try driver.createCompute(gpu: uuid, instance: instance) }
  }

  package func destroyCompute(gpu uuid: String, instance: Int, compute: Int) throws(DriverError) {
    let gone = try change(uuid, "destroy") { (gpu, record) throws(DriverError) in
      guard record.given[uuid]?.instance == instance else { return true }
      if let process = gpu.processes.first {
        throw DriverError(
          code: DriverError.inUse, call: "destroy", detail: "process \(process.pid) (\(process.name)) uses \(uuid)")
      }
      record.given[uuid]?.hasCompute = false
      return true
    }
    if gone == nil { try driver.destroyCompute(gpu: uuid, instance: instance, compute: compute) }
  }

  package func destroyInstance(gpu uuid: String, instance: Int) throws(DriverError) {
    let gone = try change(uuid, "destroy") { (_, record) throws(DriverError) in
      guard record.given[uuid]?.instance == instance else { return true }
      guard record.given[uuid]?.hasCompute == false else {
        throw DriverError(code: DriverError.inUse, call: "destroy", detail: "\(uuid) is in use")
      }
      record.given[uuid] = nil
      return true
    }
    if gone == nil { try driver.destroyInstance(gpu: uuid, instance: instance) }
  }

  package func setMIGMode(gpu uuid: String, enabled: Bool) throws(DriverError) -> MIGModeChange {
    try driver.setMIGMode(gpu: uuid, enabled: enabled)
  }

  package func reset(gpu uuid: String) throws(DriverError) { try driver.reset(gpu: uuid) }

  package func faults() throws(DriverError) -> (any GPUFaultFeed)? { try driver.faults() }

  package func holders(gpu uuid: String, instance: Int?) -> [ObservedProcess]? {
    let isGiven = record.withLock { $0.given[uuid] != nil }
    return driver.holders(gpu: uuid, instance: isGiven ? nil : instance)
  }
}
