import ParvaControlTestSupport
import ParvaEngine
import ParvaWire
import Testing

@testable import ParvaControl

@Suite struct FleetInventoryTests {
  @Test func poolsAreTheProductsOfEachZoneWithTheConfiguredPrices() throws {
    let a100 = try #require(ProductCatalogue.product(named: "A100-80GB"))
    let inventory = FleetInventory(
      [
        FleetSamples.record("a", try FleetSamples.state("a", gpus: 2)),
        FleetSamples.record("b", try FleetSamples.state("b", gpus: 3), zone: "rack-1"),
        FleetSamples.record("c", try FleetSamples.state("c", gpus: 1), zone: "rack-1"),
        FleetSamples.record("d", try FleetSamples.state("d", gpus: 4, product: "H100-80GB-SXM")),
      ], priced: [Pool(name: "any", product: a100, figures: ["hourlyCost": 2.5, "watts": 300])])
    #expect(inventory.pools.map(\.name) == ["A100-80GB", "A100-80GB@rack-1", "H100-80GB-SXM"])
    #expect(inventory.pools.map(\.count) == [2, 4, 4])
    #expect(inventory.pools.map { $0.figures["hourlyCost"] } == [2.5, 2.5, nil])
    #expect(inventory.usable.count == 10)
  }

  struct Exclusion: Sendable, CustomTestStringConvertible {
    let reason: FleetGPU.Exclusion
    let change: @Sendable (inout NodeRecord) throws -> Void
    var testDescription: String { reason.rawValue }

    init(_ reason: FleetGPU.Exclusion, _ change: @escaping @Sendable (inout NodeRecord) throws -> Void) {
      self.reason = reason
      self.change = change
    }
  }

  static let exclusions = [
    Exclusion(.nodeDraining) { $0.isDraining = true },
    Exclusion(.nodeLost) { $0.isLost = true },
    Exclusion(.faulty) { $0.settled?.observed.gpus[0].fault = "gpu_is_lost" },
    Exclusion(.noMIG) { $0.settled?.observed.gpus[0].mig = nil },
    Exclusion(.modeOff) { $0.settled?.observed.gpus[0].mig = .init(current: false, pending: false) },
    Exclusion(.modePending) { $0.settled?.observed.gpus[0].mig = .init(current: true, pending: false) },
    Exclusion(.foreign) { node in
      node.settled = FleetSamples.state("a", [try FleetSamples.gpu("a", 0, instances: [(19, 0)])], foreign: true)
    },
    Exclusion(.inUse) { node in
      node.settled?.managesMIGMode = true
      node.settled?.observed.gpus[0].mig = .init(current: false, pending: false)
      node.settled?.observed.gpus[0].processes = [ObservedProcess(pid: 7, name: "train")]
    },
    Exclusion(.unknownProduct) { node in
      node.settled?.observed.gpus[0].board = "NVIDIA Unheard Of"
      node.settled?.observed.gpus[0].profiles = []
    },
  ]

  @Test(arguments: exclusions) func aGPUThatCannotBeUsedIsLeftOutWithItsReason(_ exclusion: Exclusion) throws {
    var node = FleetSamples.record("a", try FleetSamples.state("a", gpus: 1))
    #expect(FleetInventory([node]).usable.count == 1)
    try exclusion.change(&node)
    let inventory = FleetInventory([node])
    #expect(inventory.gpus.map(\.exclusion) == [exclusion.reason])
    #expect(inventory.gpus[0].message?.isEmpty == false)
    #expect(inventory.pools.isEmpty)
  }

  @Test func aGPUWithoutMIGIsPlannedAsAWholeWhereNobodyElseUsesIt() throws {
    var gpu = try FleetSamples.gpu("a", 0, product: "L40S-48GB", mig: nil)
    let inventory = FleetInventory([FleetSamples.record("a", FleetSamples.state("a", [gpu]))])
    #expect(inventory.pools.map(\.name) == ["L40S-48GB"] && inventory.pools.map(\.count) == [1])
    gpu.processes = [ObservedProcess(pid: 7, name: "train")]
    let used = FleetInventory([FleetSamples.record("a", FleetSamples.state("a", [gpu]))])
    #expect(used.gpus.map(\.exclusion) == [.inUse])
    // An agent that does not show it as a whole cannot use it.
    gpu.profiles = []
    let old = FleetInventory([FleetSamples.record("a", FleetSamples.state("a", [gpu]))])
    #expect(old.gpus.map(\.exclusion) == [.noMIG])
  }

  @Test func whatHasFailedCountsAmongTheLossesThatAWorkloadSurvives() throws {
    let nodes = try ["a", "b", "c"].map { FleetSamples.record($0, try FleetSamples.state($0, gpus: 2)) }
    var workload = Samples.fullWorkload
    workload.constraints = Constraints(survive: Survival(over: .node, losses: 2))
    func losses(_ nodes: [NodeRecord]) -> Int? {
      let product = nodes[0].settled.flatMap { ProductRecognition.product(of: $0.observed.gpus[0]) }
      let setup = PlanningSetup(
        planner: OptimalPlanner(), pools: product.map { [Pool(product: $0)] } ?? [], catalogue: ProfileCatalogue(),
        options: PlanningOptions())
      var demand = Demand()
      demand.registrations = RegistrationTable([Samples.registration(workload)])
      return setup.input(for: demand, fleet: FleetInventory(nodes)).workloads[0].constraints.survive?.losses
    }
    #expect(losses(nodes) == 2)
    var failing = nodes
    failing[1].isLost = true
    #expect(losses(failing) == 1)
    failing[2].isLost = true
    #expect(losses(failing) == nil)
  }

  @Test func anAgentThatManagesMIGModeMayUseAGPUThatHasItOff() throws {
    let off = try FleetSamples.gpu("a", 0, mig: .init(current: false, pending: false))
    let node = FleetSamples.record("a", FleetSamples.state("a", [off], manages: true))
    #expect(FleetInventory([node]).usable.count == 1)
  }

  @Test func twoNodesThatReportOneUUIDBothGoWithoutIt() throws {
    var state = try FleetSamples.state("a", gpus: 2)
    let first = FleetSamples.record("a", state)
    state.name = "b"
    let inventory = FleetInventory([first, FleetSamples.record("b", state)])
    #expect(inventory.gpus.count == 4)
    #expect(inventory.gpus.allSatisfy { $0.exclusion == .duplicate })
  }

  @Test func ownInstancesAreHeldAndDoNotExclude() throws {
    let state = FleetSamples.state("a", [try FleetSamples.gpu("a", 0, instances: [(9, 4), (19, 0)])])
    let inventory = FleetInventory([FleetSamples.record("a", state)])
    #expect(
      inventory.usable.map(\.holds) == [
        [InstancePlace(profileID: 9, start: 4), InstancePlace(profileID: 19, start: 0)]
      ])
  }

  // MARK: - Products

  @Test(arguments: ProductCatalogue.all.filter { !$0.boards.isEmpty }.map(\.name))
  func everyProductOfTheTablesIsKnownByItsBoard(_ name: String) throws {
    #expect(ProductRecognition.product(of: try FleetSamples.gpu("a", 0, product: name))?.name == name)
  }

  @Test func anUnknownBoardWithKnownFiguresIsThatProduct() throws {
    var gpu = try FleetSamples.gpu("a", 0, product: "A100-40GB")
    gpu.board = "GRID A100X"
    #expect(ProductRecognition.product(of: gpu)?.name == "A100-40GB")
  }

  @Test func anUnknownGeometryIsAProductOfItsOwnMadeOfWhatIsReported() throws {
    var gpu = try FleetSamples.gpu("a", 0)
    gpu.profiles = [
      ObservedProfile(
        id: 3, name: "1g.30gb", computeSlices: 1, size: 2, starts: [4, 0, 2], maxInstances: 3, memoryMiB: 30000,
        smCount: 20),
      ObservedProfile(
        id: 4, name: "3g.90gb", computeSlices: 3, size: 6, starts: [0], maxInstances: 1, memoryMiB: 90000, smCount: 60),
    ]
    let product = try #require(ProductRecognition.product(of: gpu))
    #expect(product.name.hasPrefix("A100-SXM4-80GB-"))
    #expect((product.computeSlices, product.axisLength) == (3, 6))
    #expect(product.profiles.map(\.driverProfileID) == [3, 4])
    #expect(product.profiles[0].starts == [0, 2, 4])
    // The same report always makes the same product, another one another.
    #expect(ProductRecognition.product(of: gpu) == product)
    gpu.profiles[0].starts = [0, 2]
    #expect(ProductRecognition.product(of: gpu)?.name != product.name)
  }
}
