import ParvaEngine
import ParvaWire
import Testing

@testable import ParvaNode

@Suite struct ApplyPlannerTests {
  private static let gpu = SimulatedNode.uuid(0)

  /// An A100-80GB with these instances, all whole.
  private static func a100(
    _ places: [InstancePlace], mode: ObservedMIGMode = ObservedMIGMode(current: true, pending: true)
  ) throws -> ObservedGPU {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    var gpu = ObservedGPU(product: product, uuid: Self.gpu)
    gpu.mig = mode
    gpu.instances = places.enumerated().map { id, place in
      ObservedInstance(
        id: id + 1, profileID: place.profileID, start: place.start, size: gpu.profile(id: place.profileID)?.size ?? 0,
        computes: [ObservedCompute(id: 0, profileID: 0, smCount: 14, full: true, uuid: "MIG-\(id)")])
    }
    return gpu
  }

  private static func owned(_ gpu: ObservedGPU) -> [OwnedInstance] {
    gpu.instances.map { OwnedInstance(gpu: gpu.uuid, place: $0.place, instance: $0.id, uuid: $0.uuid) }
  }

  private static func place(_ profile: Int, _ start: Int) -> InstancePlace {
    InstancePlace(profileID: profile, start: start)
  }

  struct Refused: CustomTestStringConvertible, Sendable {
    var name: String
    var there: [InstancePlace] = []
    var isOwned = false
    var process: ObservedProcess?
    var wanted: [InstancePlace]
    var mode = ObservedMIGMode(current: true, pending: true)
    var code: ApplyProblem.Code
    var says: String
    var testDescription: String { name }
  }

  static let refused = [
    Refused(name: "unknown profile", wanted: [place(77, 0)], code: .profileUnknown, says: "no profile 77"),
    Refused(name: "illegal start", wanted: [place(14, 1)], code: .placementIllegal, says: "only at 0, 2, 4"),
    Refused(
      name: "overlap", wanted: [place(9, 0), place(19, 3)], code: .placementsOverlap, says: "same memory slices"),
    Refused(
      name: "the same twice", wanted: [place(19, 3), place(19, 3)], code: .placementsOverlap,
      says: "same memory slices"),
    Refused(
      name: "too many of a kind", wanted: [place(20, 0), place(20, 1)], code: .tooManyInstances, says: "holds 1"),
    Refused(
      name: "a foreign instance stands there", there: [place(9, 0)], wanted: [place(19, 2)], code: .foreignInstance,
      says: "GPU instance 1"),
    Refused(
      name: "the very instance, but foreign", there: [place(9, 0)], wanted: [place(9, 0)], code: .foreignInstance,
      says: "adopt"),
    Refused(
      name: "a process on what has to go", there: [place(9, 0)], isOwned: true,
      process: ObservedProcess(pid: 4711, name: "tritonserver"), wanted: [place(19, 2)], code: .instanceInUse,
      says: "process 4711 (tritonserver)"),
    Refused(
      name: "MIG off", wanted: [place(9, 0)], mode: ObservedMIGMode(current: false, pending: false),
      code: .migDisabled, says: "--manage-mig-mode"),
    Refused(
      name: "MIG pending", wanted: [place(9, 0)], mode: ObservedMIGMode(current: false, pending: true),
      code: .migDisabled, says: "pending a reset"),
  ]

  @Test(arguments: refused)
  func refusals(_ testCase: Refused) throws {
    var gpu = try Self.a100(testCase.there, mode: testCase.mode)
    if let process = testCase.process { gpu.instances[0].computes[0].processes = [process] }
    let owned = testCase.isOwned ? Self.owned(gpu) : []
    let refusal = #expect(throws: ApplyRefusal.self) {
      _ = try ApplyPlanner.plan(observed: [gpu], wanted: [Self.gpu: testCase.wanted], owned: owned)
    }
    #expect(refusal?.problems.map(\.code) == [testCase.code])
    #expect(refusal?.problems.first?.message.contains(testCase.says) == true, "\(refusal?.description ?? "")")
    #expect(refusal?.problems.first?.pid == testCase.process?.pid)
  }

  @Test func allProblemsAreNamedAtOnce() throws {
    let gpu = try Self.a100([Self.place(9, 0)])
    let refusal = #expect(throws: ApplyRefusal.self) {
      _ = try ApplyPlanner.plan(
        observed: [gpu], wanted: [Self.gpu: [Self.place(77, 0), Self.place(19, 1)], "GPU-other": []], owned: [])
    }
    #expect(refusal?.problems.map(\.code) == [.gpuUnknown, .profileUnknown, .foreignInstance])
  }

  @Test func onlyWhatDiffersIsTouchedAndDestroysComeFirst() throws {
    let gpu = try Self.a100([Self.place(9, 0), Self.place(14, 4), Self.place(19, 6)])
    let plan = try ApplyPlanner.plan(
      observed: [gpu], wanted: [Self.gpu: [Self.place(9, 0), Self.place(19, 6), Self.place(19, 4), Self.place(19, 5)]],
      owned: Self.owned(gpu))
    #expect(
      plan.steps == [
        .destroyCompute(gpu: Self.gpu, place: Self.place(14, 4), instance: 2, compute: 0),
        .destroyInstance(gpu: Self.gpu, place: Self.place(14, 4), instance: 2),
        .createInstance(gpu: Self.gpu, place: Self.place(19, 4)),
        .createCompute(gpu: Self.gpu, place: Self.place(19, 4)),
        .createInstance(gpu: Self.gpu, place: Self.place(19, 5)),
        .createCompute(gpu: Self.gpu, place: Self.place(19, 5)),
      ])
  }

  @Test func aProcessThatWillBeDrainedIsNotInTheWay() throws {
    var gpu = try Self.a100([Self.place(9, 0)])
    gpu.instances[0].computes[0].processes = [ObservedProcess(pid: 12, name: "ours")]
    let plan = try ApplyPlanner.plan(
      observed: [gpu], wanted: [:], owned: Self.owned(gpu), options: ApplyPlanner.Options(drainable: [12]))
    #expect(plan.steps.count == 2)
  }

  @Test func aHalfMadeInstanceIsCompletedNotRemade() throws {
    var gpu = try Self.a100([Self.place(9, 0)])
    let owned = Self.owned(gpu).map { OwnedInstance(gpu: $0.gpu, place: $0.place, instance: $0.instance) }
    gpu.instances[0].computes = []
    let plan = try ApplyPlanner.plan(observed: [gpu], wanted: [Self.gpu: [Self.place(9, 0)]], owned: owned)
    #expect(plan.steps == [.createCompute(gpu: Self.gpu, place: Self.place(9, 0))])
  }

  @Test func anInstanceAtAnOwnedPlaceWithAnotherUUIDIsForeign() throws {
    let gpu = try Self.a100([Self.place(9, 0)])
    let stale = [OwnedInstance(gpu: Self.gpu, place: Self.place(9, 0), instance: 1, uuid: "MIG-gone")]
    #expect(try ApplyPlanner.plan(observed: [gpu], wanted: [:], owned: stale).steps == [])
  }

  @Test func adoptTakesOverWhatStandsWhereItIsWantedAndNothingElse() throws {
    let gpu = try Self.a100([Self.place(9, 0), Self.place(14, 4)])
    let plan = try ApplyPlanner.plan(
      observed: [gpu], wanted: [Self.gpu: [Self.place(9, 0)]], owned: [], options: ApplyPlanner.Options(adopt: true))
    #expect(plan.steps == [])
    #expect(plan.owned.map(\.place) == [Self.place(9, 0)])
  }

  @Test func migModeIsSwitchedOnlyWhenTold() throws {
    var gpu = try Self.a100([], mode: ObservedMIGMode(current: false, pending: false))
    let wanted = [Self.gpu: [Self.place(9, 0)]]
    let options = ApplyPlanner.Options(manageMIGMode: true)
    #expect(
      try ApplyPlanner.plan(observed: [gpu], wanted: wanted, owned: [], options: options).steps.first
        == .enableMIG(gpu: Self.gpu))
    gpu.processes = [ObservedProcess(pid: 7, name: "dcgm-exporter")]
    let refusal = #expect(throws: ApplyRefusal.self) {
      _ = try ApplyPlanner.plan(observed: [gpu], wanted: wanted, owned: [], options: options)
    }
    #expect(refusal?.problems.map(\.process) == ["dcgm-exporter"])
  }
}
