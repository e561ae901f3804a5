import Foundation
import ParvaEngine
import ParvaTestSupport
import ParvaWire
import Testing

@testable import ParvaNode

/// The same applies through NVML against the stand-in library.
@Suite(.blocking) struct ApplyStandInTests {
  private static func wanted(_ revision: Int, _ places: [Int: [(Int, Int)]]) -> NodeAssignment {
    NodeAssignment(
      revision: revision,
      gpus: places.sorted { $0.key < $1.key }.map { gpu, places in
        WantedGPU(
          uuid: SimulatedNode.uuid(gpu),
          instances: places.map { WantedInstance(profileID: $0.0, start: $0.1) })
      })
  }

  private static func places(_ gpu: ObservedGPU) -> [[Int]] { gpu.instances.map { [$0.profileID, $0.start] } }

  @Test(arguments: ProductCatalogue.all.map(\.name))
  func randomStatesFollowEachOtherOnEveryProduct(_ name: String) throws {
    let node = try SimulatedNode([name])
    let store = try NodeStore(directory: node.directory, bootID: "boot")
    let runner = ApplyRunner(driver: node.driver, store: store)
    var random = SeededGenerator(seed: 7)
    let empty = try node.gpu()
    var kept: [String: String] = [:]
    for revision in 1...25 {
      let places = Scenario.legal(empty, beside: [], share: 0.7, using: &random)
      let wanted = NodeAssignment(
        revision: revision,
        gpus: [
          WantedGPU(
            uuid: SimulatedNode.uuid(0),
            instances: places.map { WantedInstance(profileID: $0.profileID, start: $0.start) })
        ])
      // Every third time two calls in a row fail, before or after their effect.
      let fails = revision % 3 == 0
      if fails {
        let kind = revision % 2 == 0 ? "fail" : "after"
        try node.setFaults([
          "\(kind) nvmlDeviceCreateGpuInstanceWithPlacement 1 2 20", "fail nvmlGpuInstanceDestroy 1 1 999",
        ])
      }
      let before = Self.places(try node.gpu())
      let outcome = try runner.apply(wanted)
      try node.setFaults([])
      let gpu = try node.gpu()
      switch outcome {
      case .verified:
        #expect(Self.places(gpu) == places.sorted().map { [$0.profileID, $0.start] }, "\(name) revision \(revision)")
      case .rolledBack(let failure, _):
        #expect(fails && failure.step != nil, "\(failure)")
        #expect(Self.places(gpu) == before, "\(name) revision \(revision)")
      case .refused, .stuck:
        Issue.record("\(outcome)")
      }
      #expect(gpu.instances.allSatisfy { $0.isWhole })
      let uuids = Dictionary(uniqueKeysWithValues: gpu.instances.map { ("\($0.place)", $0.uuid ?? "") })
      if case .verified = outcome {
        for (place, uuid) in kept
        where uuids[place] != nil && before.contains(where: { "\(place)" == "profile \($0[0]) at \($0[1])" }) {
          #expect(uuids[place] == uuid, "\(name) revision \(revision): \(place) was remade")
        }
      }
      kept = uuids
    }
  }

  @Test func aForeignInstanceSurvivesEverything() throws {
    let node = try SimulatedNode(["A100-80GB"])
    let foreign = try node.create(14, at: 4)
    let runner = ApplyRunner(
      driver: node.driver, store: try NodeStore(directory: node.directory, bootID: "boot"))
    #expect(try runner.apply(Self.wanted(1, [0: [(9, 0), (19, 6)]])).isVerified)
    #expect(try runner.apply(Self.wanted(2, [0: [(19, 6)]])).isVerified)
    guard case .refused(let problems) = try runner.apply(Self.wanted(3, [0: [(9, 4)]])) else {
      Issue.record("an instance of somebody else was planned over")
      return
    }
    #expect(problems.map(\.code) == [.foreignInstance])
    #expect(try runner.apply(Self.wanted(4, [:])).isVerified)
    #expect(try node.gpu().instances == [foreign])
  }

  @Test func whatWasAdoptedIsNotLostWhenTheApplyFails() throws {
    let node = try SimulatedNode(["A100-80GB"])
    let before = try node.create(9, at: 0)
    let runner = ApplyRunner(
      driver: node.driver, store: try NodeStore(directory: node.directory, bootID: "boot"))
    try node.setFaults(["fail nvmlDeviceCreateGpuInstanceWithPlacement 1 2 23"])
    let outcome = try runner.apply(
      Self.wanted(1, [0: [(9, 0), (19, 6)]]), options: ApplyPlanner.Options(adopt: true))
    guard case .rolledBack(let failure, let owned) = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(failure.code == "insufficient_resources")
    #expect(failure.step == .createInstance(gpu: SimulatedNode.uuid(0), place: InstancePlace(profileID: 19, start: 6)))
    #expect(owned.map(\.uuid) == [before.uuid])
    #expect(try node.gpu().instances == [before])
  }

  @Test func aRebootInTheMiddleLeadsToTheWantedState() throws {
    let node = try SimulatedNode(["A100-80GB"])
    let first = ApplyRunner(driver: node.driver, store: try NodeStore(directory: node.directory, bootID: "one"))
    #expect(try first.apply(Self.wanted(1, [0: [(9, 0)]])).isVerified)
    let journal = first.store.journal
    let torn = ApplyRunner(driver: node.driver, store: first.store) { (record) throws(ApplyJournal.Failure) in
      if case .done(.createInstance, _) = record { throw .unwritable(path: "dead", errno: 0) }
      try journal.append(record)
    }
    #expect(throws: ApplyJournal.Failure.self) { try torn.apply(Self.wanted(2, [0: [(14, 0), (19, 6)]])) }
    try node.reboot()
    let second = ApplyRunner(driver: node.driver, store: try NodeStore(directory: node.directory, bootID: "two"))
    #expect(try second.resume()?.isVerified == true)
    #expect(Self.places(try node.gpu()) == [[14, 0], [19, 6]])
    #expect(try second.store.verified()?.wanted.revision == 2)
  }

  @Test func aProcessOnAnInstanceThatHasToGoStopsTheApplyBeforeAnythingIsTouched() throws {
    let node = try SimulatedNode(["A100-80GB"])
    let runner = ApplyRunner(
      driver: node.driver, store: try NodeStore(directory: node.directory, bootID: "boot"))
    #expect(try runner.apply(Self.wanted(1, [0: [(9, 0), (9, 4)]])).isVerified)
    let before = try node.gpu().instances
    try node.setProcesses(["\(before[1].uuid ?? "") 5000001 100 C python3"])
    guard case .refused(let problems) = try runner.apply(Self.wanted(2, [0: [(9, 0)]])) else {
      Issue.record("an instance in use was to be destroyed")
      return
    }
    #expect(problems.map(\.pid) == [5_000_001])
    #expect(problems.map(\.process) == ["python3"])
    try node.setProcesses([])
    #expect(try node.gpu().instances == before)
    #expect(try runner.store.verified()?.wanted.revision == 1)
  }

  @Test func migModeIsTurnedOnWithAResetWhereTheProductNeedsOne() throws {
    let node = try SimulatedNode(["A100-80GB", "H100-80GB-SXM"], migEnabled: false)
    let runner = ApplyRunner(
      driver: node.driver, store: try NodeStore(directory: node.directory, bootID: "boot"))
    let wanted = Self.wanted(1, [0: [(9, 0)], 1: [(15, 0)]])
    guard case .refused(let problems) = try runner.apply(wanted) else {
      Issue.record("the mode was switched without being told")
      return
    }
    #expect(problems.map(\.code) == [.migDisabled, .migDisabled])
    #expect(try runner.apply(wanted, options: ApplyPlanner.Options(manageMIGMode: true)).isVerified)
  }

  @Test func aTornLastLineOfTheJournalNeverCounted() throws {
    let directory = scratchDirectory()
    defer { try? FileManager.default.removeItem(at: directory) }
    let store = try NodeStore(directory: directory, bootID: "boot")
    let begin = JournalRecord.begin(
      JournalBegin(
        bootID: "boot", wanted: Self.wanted(1, [:]), base: [], holdings: Holdings(), steps: []))
    try store.journal.append(begin)
    let whole = try Data(contentsOf: URL(filePath: store.journal.path))
    for cut in 1..<whole.count {
      try Data(whole + whole.prefix(cut)).write(to: URL(filePath: store.journal.path))
      #expect(try store.journal.records() == [begin], "cut after \(cut) bytes")
    }
    try store.journal.trim()
    #expect(try Data(contentsOf: URL(filePath: store.journal.path)) == whole)
    try Data("rubbish\n".utf8 + whole).write(to: URL(filePath: store.journal.path))
    #expect(throws: ApplyJournal.Failure.corrupt(path: store.journal.path, line: 1)) { try store.journal.records() }
  }
}

extension ApplyOutcome {
  var isVerified: Bool {
    if case .verified = self { true } else { false }
  }
}
