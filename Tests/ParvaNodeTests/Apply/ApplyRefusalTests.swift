import Foundation
import ParvaEngine
import ParvaTestSupport
import ParvaWire
import Synchronization
import Testing

@testable import ParvaNode

/// Random wanted states on nodes with lost GPUs, processes in the way and impossible wishes: what is refused was not
/// touched, and what is lost is in nobody's way.
@Suite(.serialized, .blocking) struct ApplyRefusalTests {
  @Test("a record that is there and cannot be read is not taken for a node that never applied anything")
  func anUnreadableRecordIsNoMissingOne() throws {
    let node = try SimulatedNode(["A100-80GB"])
    let store = try NodeStore(directory: node.directory, bootID: "boot")
    #expect(try store.verified() == nil)
    try FileManager.default.createDirectory(
      at: node.directory.appendingPathComponent("verified.json"), withIntermediateDirectories: false)
    #expect {
      try store.verified()
    } throws: { error in
      if case .unreadable = error as? ApplyJournal.Failure { true } else { false }
    }
  }

  @Test("a journal that is there and cannot be read is not taken for an empty one")
  func anUnreadableJournalIsNoEmptyOne() async throws {
    let node = try SimulatedNode(["A100-80GB"])
    let store = try NodeStore(directory: node.directory, bootID: "boot")
    try FileManager.default.createDirectory(atPath: store.journal.path, withIntermediateDirectories: false)
    for read in [
      { _ = try store.journal.records() }, { _ = try store.known() }, { try store.journal.trim() },
      { _ = try ApplyRunner(driver: node.driver, store: store).apply(DriverPointTests.wanted(1, [(9, 0)])) },
    ] as [() throws -> Void] {
      let failure = #expect(throws: ApplyJournal.Failure.self) { try read() }
      #expect(failure?.code == "records_unreadable")
    }
    #expect(try node.gpu().instances.isEmpty)
  }

  @Test("a verified state that was changed is said to be that, and no agent starts without it")
  func aDamagedVerifiedState() async throws {
    let node = try SimulatedNode(["A100-80GB"])
    let store = try NodeStore(directory: node.directory, bootID: "boot")
    try Data("{\"wanted\":".utf8).write(to: node.directory.appendingPathComponent("verified.json"))
    let failure = #expect(throws: ApplyJournal.Failure.self) { _ = try store.verified() }
    #expect(failure?.code == "records_damaged")
    #expect(failure?.description.contains("verified state") == true && failure?.description.contains("--adopt") == true)
    let agent = NodeAgent(
      configuration: NodeAgent.Configuration(name: "n1"), driver: node.driver, store: store, simulated: true)
    await #expect(throws: ApplyJournal.Failure.self) { try await agent.start() }
  }

  @Test("a service's record that cannot be read is no missing one: what it names would be started twice")
  func aDamagedServiceRecord() throws {
    let directory = scratchDirectory()
    defer { try? FileManager.default.removeItem(at: directory) }
    let store = try ServiceStore(directory: directory.appendingPathComponent("services"), bootID: "boot")
    #expect(try store.records() == [])
    let file = store.directory.appendingPathComponent("server-x.json")
    try Data("{\"spec\":".utf8).write(to: file)
    func failure() -> ApplyJournal.Failure? {
      #expect(throws: ApplyJournal.Failure.self) { _ = try store.records() }
    }
    #expect(failure() == .damagedService(path: file.path))
    let services = NodeServices.Configuration(directory: directory, runDirectory: directory, simulated: true)
    #expect(throws: ApplyJournal.Failure.damagedService(path: file.path)) {
      _ = try NodeServices(configuration: services, bootID: "boot")
    }
    try FileManager.default.removeItem(at: file)
    try FileManager.default.createDirectory(at: file, withIntermediateDirectories: false)
    #expect(failure()?.code == "records_unreadable")
  }

  @Test("an older revision, and the same with other contents, are refused by one rule") func revisions() {
    let five = DriverPointTests.wanted(5, [(9, 0)])
    #expect(five.refusal(after: five) == nil)
    #expect(DriverPointTests.wanted(6, []).refusal(after: five) == nil)
    #expect(DriverPointTests.wanted(5, []).refusal(after: five) == .conflict)
    #expect(DriverPointTests.wanted(4, [(9, 0)]).refusal(after: five) == .stale(latest: AssignmentVersion(revision: 5)))
  }

  /// A scenario with what is wrong on the node and in the plan.
  private struct Trouble {
    let scenario: Scenario
    let driver: MemoryDriver
    let lost: String?
    /// Why the plan has to be refused; nil when nothing stands against it.
    let reason: ApplyProblem.Code?

    init(_ product: GPUProduct, seed: UInt64) {
      var scenario = Scenario(product: product, seed: seed, gpuCount: 3)
      var (lost, reason) = (nil as String?, nil as ApplyProblem.Code?)
      var random = SeededGenerator(seed: seed &* 31)
      if Bool.random(using: &random) {
        let gpu = scenario.gpus[Int.random(in: 0..<3, using: &random)].uuid
        lost = gpu
        let at = scenario.wanted.gpus.firstIndex { $0.uuid == gpu } ?? 0
        switch Int.random(in: 0..<3, using: &random) {
        case 0: scenario.wanted.gpus.remove(at: at)
        case 1:
          let there = Set(scenario.owned.filter { $0.gpu == gpu }.map(\.place))
          scenario.wanted.gpus[at].instances.removeAll { !there.contains($0.place) }
        default:
          let there = Set(scenario.owned.filter { $0.gpu == gpu }.map(\.place))
          if scenario.wanted.gpus[at].instances.contains(where: { !there.contains($0.place) }) { reason = .gpuFaulty }
        }
      }
      var gpus = scenario.gpus
      if Int.random(in: 0..<4, using: &random) == 0 {
        // Somebody else's process on an instance of ours that has to go.
        for index in gpus.indices where gpus[index].uuid != lost && reason == nil {
          let gpu = gpus[index]
          let goes = gpu.instances.firstIndex { there in
            there.isWhole && scenario.owned.contains { $0.matches(there, on: gpu.uuid) }
              && scenario.wanted.instance(gpu: gpu.uuid, place: there.place) == nil
          }
          guard let goes else { continue }
          gpus[index].instances[goes].computes[0].processes = [ObservedProcess(pid: 4711, name: "jupyter")]
          reason = .instanceInUse
        }
      }
      if Int.random(in: 0..<4, using: &random) == 0, reason == nil,
        let at = scenario.wanted.gpus.firstIndex(where: { $0.uuid != lost })
      {
        scenario.wanted.gpus[at].instances.append(WantedInstance(profileID: 4999, start: 0))
        reason = .profileUnknown
      }
      (self.scenario, self.lost, self.reason) = (scenario, lost, reason)
      driver = MemoryDriver(gpus)
      if let lost { driver.state.withLock { _ = $0.lost.insert(lost) } }
    }
  }

  @Test("F3: what is refused was not touched, and nothing on it was ended", arguments: ProductCatalogue.all)
  func refusalsComeFirst(_ product: GPUProduct) throws {
    let directory = scratchDirectory()
    defer { try? FileManager.default.removeItem(at: directory) }
    for seed in 50_000..<UInt64(50_000 + 12 * ApplyPropertyTests.factor) {
      let trouble = Trouble(product, seed: seed)
      let (scenario, driver) = (trouble.scenario, trouble.driver)
      let comment = Comment(rawValue: "\(product.name) seed \(seed)")
      let store = try scenario.store(in: directory)
      let (before, verified) = (driver.gpus, try store.verified())
      var released: [Int] = []
      let outcome = try ApplyRunner(driver: driver, store: store).apply(
        scenario.wanted,
        release: { wanted in
          #expect(wanted == scenario.wanted, comment)
          released.append(driver.state.withLock { $0.calls })
        })
      if let reason = trouble.reason {
        guard case .refused(let problems) = outcome else {
          Issue.record("\(outcome): \(comment.rawValue)")
          continue
        }
        #expect(problems.contains { $0.code == reason }, comment)
        #expect(released == [], comment)
        #expect(driver.state.withLock { $0.calls } == 0 && driver.gpus == before, comment)
        #expect(try store.verified() == verified, comment)
      } else {
        #expect(outcome.isVerified, "\(outcome): \(comment.rawValue)")
        // Once, and before the first change.
        #expect(released == [0], comment)
      }
    }
  }

  @Test(
    "F2: a lost GPU is in nobody's way, is reported, and is looked after once it is back",
    arguments: ProductCatalogue.all
  )
  func lostGPUsAreLeftOut(_ product: GPUProduct) throws {
    let directory = scratchDirectory()
    defer { try? FileManager.default.removeItem(at: directory) }
    for seed in 60_000..<UInt64(60_000 + 12 * ApplyPropertyTests.factor) {
      let trouble = Trouble(product, seed: seed)
      guard let gone = trouble.lost, trouble.reason == nil else { continue }
      let (scenario, driver) = (trouble.scenario, trouble.driver)
      let comment = Comment(rawValue: "\(product.name) seed \(seed)")
      let store = try scenario.store(in: directory)
      let runner = ApplyRunner(driver: driver, store: store)
      guard case .verified(let owned, let lost) = try runner.apply(scenario.wanted) else {
        Issue.record("hindered: \(comment.rawValue)")
        continue
      }
      let there = scenario.owned.filter { $0.gpu == gone }
      let wanted = scenario.wanted.gpus.first { $0.uuid == gone }?.instances.map(\.place) ?? []
      #expect(lost.map(\.gpu) == (there.isEmpty && wanted.isEmpty ? [] : [gone]), comment)
      #expect(Set(lost.flatMap(\.owned)) == Set(there), comment)
      #expect(Set(owned.filter { $0.gpu == gone }) == Set(there), comment)
      for gpu in driver.gpus where gpu.uuid != gone {
        #expect(scenario.places([gpu])[gpu.uuid] == scenario.wantedPlaces[gpu.uuid], comment)
      }
      #expect((try store.verified()?.degraded?.code) == (wanted.isEmpty ? nil : "gpu_lost"), comment)
      // Looking again finds the same and nothing to do.
      var options = ApplyPlanner.Options()
      options.leavesLost = true
      let again = try runner.dryRun(scenario.wanted, options: options)
      #expect(again.steps.isEmpty && again.lost == lost, comment)
      driver.state.withLock { $0.lost = [] }
      #expect(try runner.apply(scenario.wanted).isVerified, comment)
      let final = scenario.places(driver.gpus)
      for gpu in driver.gpus { #expect(final[gpu.uuid] == scenario.wantedPlaces[gpu.uuid] ?? [], comment) }
      #expect(try store.verified()?.degraded == nil, comment)
    }
  }

  /// A fault on a GPU that answers, beside one that was lost before: what was touched is undone, and that is all there is
  /// to undo.
  @Test("F2: a failure beside a lost GPU is undone and not stuck", arguments: ProductCatalogue.all)
  func failuresBesideLostGPUs(_ product: GPUProduct) throws {
    let directory = scratchDirectory()
    defer { try? FileManager.default.removeItem(at: directory) }
    for seed in 70_000..<UInt64(70_000 + 12 * ApplyPropertyTests.factor) {
      let trouble = Trouble(product, seed: seed)
      guard let gone = trouble.lost, trouble.reason == nil else { continue }
      let (scenario, driver) = (trouble.scenario, trouble.driver)
      driver.state.withLock { $0.faults = [1: .before, 2: .before] }
      let outcome = try ApplyRunner(driver: driver, store: try scenario.store(in: directory)).apply(scenario.wanted)
      if driver.state.withLock({ $0.calls }) == 0 { continue }
      guard case .rolledBack(_, let owned) = outcome else {
        Issue.record("\(outcome): \(product.name) seed \(seed)")
        continue
      }
      #expect(Set(owned.filter { $0.gpu == gone }) == Set(scenario.owned.filter { $0.gpu == gone }))
      for gpu in driver.gpus where gpu.uuid != gone {
        #expect(scenario.places([gpu])[gpu.uuid] == scenario.basePlaces[gpu.uuid], "\(product.name) seed \(seed)")
      }
    }
  }
}
