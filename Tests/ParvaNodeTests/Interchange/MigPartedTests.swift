import Foundation
import ParvaEngine
import ParvaFormats
import ParvaStandIn
import ParvaTestSupport
import ParvaWire
import Testing

@testable import ParvaNode

@Suite struct MigPartedTests {
  private static func config(_ devices: String, _ profiles: String) throws -> MigPartedConfig {
    let text = """
      version: v1
      mig-configs:
        wanted:
          - devices: \(devices)
            mig-enabled: true
            mig-devices: {\(profiles)}
      """
    return try MigPartedReader.read(InputSource(Data(text.utf8), format: .yaml))
  }

  @Test func countsBecomePlacesAndWhatStandsStays() throws {
    let node = try SimulatedNode(["A100-80GB", "A100-80GB"])
    let runner = ApplyRunner(driver: node.driver, store: try NodeStore(directory: node.directory, bootID: "boot"))
    var kept: [String] = []
    for (revision, profiles) in ["\"3g.40gb\": 1", "\"3g.40gb\": 1, \"1g.10gb\": 3"].enumerated() {
      let wanted = try MigPartedMapping.wanted(
        try Self.config("all", profiles), named: nil, on: try node.driver.observe(),
        owned: try runner.store.verified()?.holdings.owned ?? [], revision: revision, adopt: false)
      #expect(try runner.apply(wanted).isVerified)
      let uuids = try node.gpu(1).instances.compactMap(\.uuid)
      #expect(kept.allSatisfy(uuids.contains))
      kept = uuids
    }
    let exported = try MigPartedMapping.export(try node.driver.observe())
    #expect(
      exported
        == MigPartedConfig(
          configs: [
            (
              "current",
              [
                MigPartedConfig.Entry(
                  devices: [0, 1], migEnabled: true, migDevices: [("1g.10gb", 3), ("3g.40gb", 1)])
              ]
            )
          ]))
    let back = try MigPartedReader.read(InputSource(Data(MigPartedWriter.yaml(exported).utf8), format: .yaml))
    #expect(back == exported)
  }

  @Test(
    "a mig-parted file survives export and apply on every release, through both drivers", arguments: DriverRelease.known
  )
  func filesSurvive(_ release: DriverRelease) throws {
    let node = try SimulatedNode(["A100-80GB"], release: release)
    // Both profiles of one slice, which only their names tell apart.
    let asked = try Self.config("all", "\"1g.10gb\": 2, \"1g.10gb+me\": 1, \"3g.40gb\": 1")
    for (revision, driver) in ([node.driver, try node.machine.smiDriver()] as [any GPUDriver]).enumerated() {
      let runner = ApplyRunner(driver: driver, store: try NodeStore(directory: node.directory, bootID: "boot"))
      let wanted = try MigPartedMapping.wanted(
        asked, named: nil, on: try driver.observe(), owned: try runner.store.verified()?.holdings.owned ?? [],
        revision: revision + 1, adopt: false)
      #expect(try runner.apply(wanted).isVerified)
      #expect(try node.gpu().instances.map(\.profileID).sorted() == [9, 19, 19, 20])
      let exported = try MigPartedMapping.export(try driver.observe())
      #expect(exported.configs.first?.entries.first?.migDevices.map(\.name) == ["1g.10gb", "1g.10gb+me", "3g.40gb"])
    }
  }

  @Test("profiles of one name are refused with their ids, in both directions") func namesThatTwoHave() throws {
    var gpu = ObservedGPU(product: try #require(ProductCatalogue.product(named: "A100-80GB")))
    for at in gpu.profiles.indices where gpu.profiles[at].id == 20 { gpu.profiles[at].name = "1g.10gb" }
    gpu.instances = [ObservedInstance(id: 7, profileID: 20, start: 0, size: 1)]
    let node = ObservedNode(simulated: true, source: "memory", driverVersion: "470", gpus: [gpu])
    let config = try Self.config("all", "\"1g.10gb\": 1")
    let refusals = [
      #expect(throws: MigPartedMapping.Refusal.self) { _ = try MigPartedMapping.export(node) },
      #expect(throws: MigPartedMapping.Refusal.self) {
        _ = try MigPartedMapping.wanted(config, named: nil, on: node, owned: [], revision: 1, adopt: false)
      },
    ]
    for refusal in refusals {
      #expect(refusal?.code == "profile_ambiguous" && refusal?.message.contains("19 and 20") == true)
    }
    gpu.instances[0].profileID = 99
    let unnamed = ObservedNode(simulated: true, source: "memory", driverVersion: "470", gpus: [gpu])
    let refusal = #expect(throws: MigPartedMapping.Refusal.self) { _ = try MigPartedMapping.export(unnamed) }
    #expect(refusal?.code == "profile_unknown")
  }

  struct Refused: Sendable {
    var devices = "[0]"
    var profiles: String
    var code: String
  }

  @Test(arguments: [
    Refused(profiles: "\"3g.40gb\": 3", code: "does_not_fit"),
    Refused(profiles: "\"4g.40gb\": 1, \"3g.40gb\": 1, \"1g.10gb\": 1", code: "does_not_fit"),
    Refused(profiles: "\"3g.99gb\": 1", code: "profile_unknown"),
    Refused(devices: "[4]", profiles: "\"3g.40gb\": 1", code: "gpu_unknown"),
  ])
  func whatCannotBeIsRefused(_ testCase: Refused) throws {
    let node = try SimulatedNode(["A100-80GB"])
    let config = try Self.config(testCase.devices, testCase.profiles)
    let refusal = #expect(throws: MigPartedMapping.Refusal.self) {
      _ = try MigPartedMapping.wanted(
        config, named: nil, on: try node.driver.observe(), owned: [], revision: 1, adopt: false)
    }
    #expect(refusal?.code == testCase.code)
  }

  /// Whatever legal set stands, its counts fit again and all of it stays.
  @Test(arguments: ProductCatalogue.all)
  func theChooserKeepsEverythingThatFits(_ product: GPUProduct) {
    var gpu = ObservedGPU(product: product)
    for seed in 0..<UInt64(100) {
      var random = SeededGenerator(seed: seed)
      let places = Scenario.legal(gpu, beside: [], share: 0.8, using: &random)
      gpu.instances = []
      let chosen = PlacementChooser.choose(
        counts: Dictionary(places.map { ($0.profileID, 1) }, uniquingKeysWith: +), on: gpu, preferred: Set(places))
      #expect(chosen == places.sorted(), "\(product.name) seed \(seed)")
    }
  }
}
