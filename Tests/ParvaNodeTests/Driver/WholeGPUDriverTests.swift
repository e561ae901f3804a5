import Foundation
import ParvaWire
import Testing

@testable import ParvaNode

/// GPUs without MIG, which are given away as wholes.
@Suite struct WholeGPUDriverTests {
  private let node: SimulatedNode
  private let driver: WholeGPUDriver

  init() throws {
    node = try SimulatedNode(["L40S-48GB", "A100-80GB"])
    driver = try WholeGPUDriver(node.driver, directory: node.directory)
  }

  private func gpu(_ index: Int = 0) throws -> ObservedGPU { try driver.observe(gpu: SimulatedNode.uuid(index)) }

  @Test func aGPUWithoutMIGIsOnePlaceAndOthersAreAsTheyWere() throws {
    let seen = try driver.observe().gpus
    #expect(seen[0].isWhole && seen[0].profiles.map(\.starts) == [[0]] && seen[0].instances.isEmpty)
    #expect(seen[1] == (try node.gpu(1)) && !seen[1].isWhole)
  }

  @Test func whatIsGivenAwayStandsAcrossRestartsUntilItIsTakenBack() throws {
    let uuid = SimulatedNode.uuid(0)
    let id = try driver.createInstance(gpu: uuid, profileID: 0, start: 0)
    try driver.createCompute(gpu: uuid, instance: id)
    #expect(throws: DriverError.self) { try driver.createInstance(gpu: uuid, profileID: 0, start: 0) }
    let again = try WholeGPUDriver(node.driver, directory: node.directory)
    let there = try again.observe(gpu: uuid).instances
    #expect(there.map(\.id) == [id] && there.map(\.uuid) == [uuid] && there.map(\.isWhole) == [true])
    try again.destroyCompute(gpu: uuid, instance: id, compute: 0)
    try again.destroyInstance(gpu: uuid, instance: id)
    #expect(try again.observe(gpu: uuid).instances.isEmpty)
    #expect(try again.createInstance(gpu: uuid, profileID: 0, start: 0) != id, "another one has another id")
  }

  @Test func nothingIsGivenAwayOrTakenBackUnderAProcess() throws {
    let uuid = SimulatedNode.uuid(0)
    try node.setProcesses(["\(uuid) \(getpid()) 1 C train"])
    guard try !gpu().processes.isEmpty else {
      Issue.record("the stand-in shows no process of a whole GPU")
      return
    }
    #expect(throws: DriverError.self) { try driver.createInstance(gpu: uuid, profileID: 0, start: 0) }
    try node.setProcesses([])
    let id = try driver.createInstance(gpu: uuid, profileID: 0, start: 0)
    try driver.createCompute(gpu: uuid, instance: id)
    try node.setProcesses(["\(uuid) \(getpid()) 1 C train"])
    #expect(try gpu().instances.first?.computes.first?.processes.map(\.name) == ["train"])
    #expect(throws: DriverError.self) { try driver.destroyCompute(gpu: uuid, instance: id, compute: 0) }
  }

  @Test func stepsAreThoseOfAnInstanceAndNeverTouchMIG() throws {
    let uuid = SimulatedNode.uuid(0)
    let place = InstancePlace(profileID: 0, start: 0)
    let steps = try ApplyPlanner.plan(observed: driver.observe().gpus, wanted: [uuid: [place]], owned: []).steps
    #expect(steps == [.createInstance(gpu: uuid, place: place), .createCompute(gpu: uuid, place: place)])
    #expect(throws: ApplyRefusal.self) {
      try ApplyPlanner.plan(observed: node.driver.observe().gpus, wanted: [uuid: [place]], owned: [])
    }
  }

  @Test func aRecordThatCannotBeReadIsNoEmptyOne() throws {
    try Data("{".utf8).write(to: node.directory.appendingPathComponent("whole-gpus.json"))
    #expect(throws: DriverError.self) { try WholeGPUDriver(node.driver, directory: node.directory) }
  }
}
