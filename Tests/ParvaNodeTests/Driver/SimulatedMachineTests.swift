import Foundation
import ParvaEngine
import ParvaStandIn
import ParvaWire
import Testing

@testable import ParvaNode

@Suite(.blocking) struct SimulatedMachineTests {
  @Test(arguments: [
    "dgx-a100@", "@570", "", "@", "dgx-a100@570@580", "dgx-a100@ 570", "dgx-a100@+caps", "A100-80GBx2@",
  ])
  func aNameThatIsCutShortIsRefused(_ name: String) {
    #expect(throws: SimulatedMachine.Failure.self) { try SimulatedMachine.described(name, node: "n1") }
  }

  @Test func looksChangeNobodysMachine() throws {
    let directory = scratchDirectory()
    defer { try? FileManager.default.removeItem(at: directory) }
    func machine(_ name: String, node: String = "n1", replaces: Bool) throws -> SimulatedMachine {
      let described = try SimulatedMachine.described(name, node: node)
      return try SimulatedMachine(
        directory: directory, gpus: described.gpus, release: described.release, isGuarded: described.isGuarded,
        replaces: replaces)
    }
    func contents() throws -> [String: Data] {
      let names = try FileManager.default.subpathsOfDirectory(atPath: directory.path)
      return Dictionary(
        uniqueKeysWithValues: names.compactMap { name in
          (try? Data(contentsOf: directory.appendingPathComponent(name))).map { (name, $0) }
        })
    }
    // Where none is, a look makes it.
    #expect(try machine("A100-80GBx2", replaces: false).driver().observe().gpus.count == 2)
    let config = directory.appendingPathComponent("config")
    try (String(contentsOf: config, encoding: .utf8) + "resets 0\n").write(
      to: config, atomically: true, encoding: .utf8)
    let before = try contents()
    for (name, node) in [
      ("A100-80GBx3", "n1"), ("A100-80GBx2", "n2"), ("A100-80GBx2@535", "n1"), ("A100-80GBx2+caps", "n1"),
    ] {
      let failure = #expect(throws: SimulatedMachine.Failure.self) {
        _ = try machine(name, node: node, replaces: false)
      }
      #expect(failure?.description.hasPrefix("simulated_machine_differs: ") == true)
    }
    // What was changed in it by hand is part of it.
    #expect(try machine("A100-80GBx2", replaces: false).driver().observe().gpus.count == 2)
    #expect(try contents() == before)
    #expect(try machine("A100-80GBx3", replaces: true).driver().observe().gpus.count == 3)
  }
}
