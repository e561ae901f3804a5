import Foundation
import ParvaEngine
import ParvaWire
import Synchronization
import Testing

@testable import ParvaNode

/// Any legal state to any legal state, with faults and crashes at every call and every record.
@Suite(.blocking) struct ApplyPropertyTests {
  /// `PARVA_TEST_SEEDS` multiplies the number of cases: 1 takes seconds, 10 a minute or two.
  static let factor = ProcessInfo.processInfo.environment["PARVA_TEST_SEEDS"].flatMap(Int.init) ?? 1
  static let plainSeeds = 120 * factor
  static let faultSeeds = 4 * factor

  /// What must hold whatever happened, and which of the two ends was reached.
  private static func judge(
    _ scenario: Scenario, _ driver: MemoryDriver, _ outcome: ApplyOutcome, _ note: String
  ) {
    let comment = Comment(rawValue: "\(scenario.product.name) seed \(scenario.seed) \(note)")
    let gpus = driver.gpus
    #expect(driver.state.withLock { $0.violations } == [], comment)
    for foreign in scenario.foreign {
      let there = gpus.first { $0.uuid == foreign.gpu }?.instances.contains { foreign.matches($0, on: foreign.gpu) }
      #expect(there == true, comment)
    }
    let untouched = scenario.kept.allSatisfy { kept in
      gpus.first { $0.uuid == kept.gpu }?.instances.contains { $0.uuid == kept.uuid } == true
    }
    #expect(untouched, comment)
    switch outcome {
    case .verified(let owned, _):
      #expect(scenario.places(gpus) == scenario.wantedPlaces, comment)
      #expect(owned.count == scenario.wantedPlaces.values.map(\.count).reduce(0, +), comment)
      #expect(gpus.flatMap(\.instances).allSatisfy { $0.isWhole }, comment)
    case .rolledBack(let failure, let owned):
      #expect(failure.step != nil, comment)
      #expect(scenario.places(gpus) == scenario.basePlaces, comment)
      #expect(owned.count == scenario.owned.count, comment)
    case .refused, .stuck:
      Issue.record("\(outcome): \(comment.rawValue)")
    }
  }

  @Test(arguments: ProductCatalogue.all)
  func anyLegalStateBecomesAnyOtherWithTheFewestDestroys(_ product: GPUProduct) throws {
    let directory = scratchDirectory()
    defer { try? FileManager.default.removeItem(at: directory) }
    for seed in 0..<UInt64(Self.plainSeeds) {
      let scenario = Scenario(product: product, seed: seed)
      let driver = MemoryDriver(scenario.gpus)
      let runner = ApplyRunner(driver: driver, store: try scenario.store(in: directory))
      let outcome = try runner.apply(scenario.wanted)
      Self.judge(scenario, driver, outcome, "without faults")
      guard case .verified = outcome else { continue }
      // Exactly what is owned, whole and unwanted is destroyed.
      let unwanted = scenario.owned.filter {
        $0.uuid != nil && scenario.wanted.instance(gpu: $0.gpu, place: $0.place) == nil
      }
      #expect(Set(driver.state.withLock { $0.destroyed }) == Set(unwanted), "\(product.name) seed \(seed)")
      // A second time there is nothing to do.
      let before = driver.state.withLock { $0.calls }
      #expect(try runner.apply(scenario.wanted) == outcome)
      #expect(driver.state.withLock { $0.calls } == before, "\(product.name) seed \(seed)")
    }
  }

  /// A fault that outlasts the retries, at every changing call in turn, before and after its effect.
  @Test(arguments: ProductCatalogue.all)
  func aFaultAtAnyCallEndsVerifiedInOneOfTheTwoStates(_ product: GPUProduct) throws {
    let directory = scratchDirectory()
    defer { try? FileManager.default.removeItem(at: directory) }
    for seed in 0..<UInt64(Self.faultSeeds) {
      let scenario = Scenario(product: product, seed: 10_000 + seed)
      let calls = try Self.callsWithoutFaults(scenario, directory)
      for call in 1...max(calls, 1) where calls > 0 {
        for faults in [[call: .before], [call: .after], [call: .before, call + 1: .before]]
          as [[Int: MemoryDriver.Fault]]
        {
          let driver = MemoryDriver(scenario.gpus)
          driver.state.withLock { $0.faults = faults }
          let outcome = try ApplyRunner(driver: driver, store: try scenario.store(in: directory))
            .apply(scenario.wanted)
          Self.judge(scenario, driver, outcome, "faults \(faults)")
          if faults.count == 2, case .verified = outcome {
            Issue.record("two failures in a row count as failed: \(product.name) seed \(scenario.seed) \(faults)")
          }
        }
      }
    }
  }

  /// The process dies at every changing call, before and after its effect; the next start brings the apply to an end.
  @Test(arguments: ProductCatalogue.all)
  func aDeathAtAnyCallIsResumed(_ product: GPUProduct) throws {
    let directory = scratchDirectory()
    defer { try? FileManager.default.removeItem(at: directory) }
    for seed in 0..<UInt64(Self.faultSeeds) {
      let scenario = Scenario(product: product, seed: 20_000 + seed)
      let calls = try Self.callsWithoutFaults(scenario, directory)
      for call in 1...max(calls, 1) where calls > 0 {
        for fault in [MemoryDriver.Fault.dieBefore, .dieAfter] {
          let driver = MemoryDriver(scenario.gpus)
          driver.state.withLock { $0.faults = [call: fault] }
          let outcome = try Self.runThroughDeath(scenario, driver, try scenario.store(in: directory), dieAt: nil)
          Self.judge(scenario, driver, outcome, "\(fault) at \(call)")
          #expect(outcome.isVerified, "\(product.name) seed \(scenario.seed) \(fault) at \(call)")
        }
      }
    }
  }

  /// The process dies just before or just after each journal record reaches the disk, also on the way back.
  @Test(arguments: ProductCatalogue.all, [false, true])
  func aDeathAtAnyRecordIsResumed(_ product: GPUProduct, failing: Bool) throws {
    let directory = scratchDirectory()
    defer { try? FileManager.default.removeItem(at: directory) }
    for seed in 0..<UInt64(Self.faultSeeds) {
      let scenario = Scenario(product: product, seed: 30_000 + seed)
      let calls = try Self.callsWithoutFaults(scenario, directory)
      if calls == 0 { continue }
      let failedCall = Int(seed) % calls + 1
      for record in 1...200 {
        var reached = false
        for written in [false, true] {
          let driver = MemoryDriver(scenario.gpus)
          if failing { driver.state.withLock { $0.faults = [failedCall: .before, failedCall + 1: .before] } }
          let outcome = try Self.runThroughDeath(
            scenario, driver, try scenario.store(in: directory), dieAt: (record, written), reached: &reached)
          Self.judge(scenario, driver, outcome, "record \(record) written \(written) failing \(failing)")
        }
        if !reached { break }
      }
    }
  }

  /// A lost GPU cannot be restored: the end says so, and the other GPU is back as it was.
  @Test(arguments: ProductCatalogue.all)
  func aLostGPUIsNamedAndTheOthersAreRestored(_ product: GPUProduct) throws {
    let directory = scratchDirectory()
    defer { try? FileManager.default.removeItem(at: directory) }
    for seed in 0..<UInt64(Self.faultSeeds) {
      let scenario = Scenario(product: product, seed: 40_000 + seed)
      let calls = try Self.callsWithoutFaults(scenario, directory)
      for call in 1...max(calls, 1) where calls > 0 {
        let driver = MemoryDriver(scenario.gpus)
        driver.state.withLock { $0.faults = [call: .lose] }
        let store = try scenario.store(in: directory)
        let outcome = try ApplyRunner(driver: driver, store: store).apply(scenario.wanted)
        guard case .stuck(let failure, let rollback, _) = outcome else {
          Issue.record("\(outcome): \(product.name) seed \(scenario.seed)")
          continue
        }
        let lost = driver.state.withLock { $0.lost }
        #expect(failure.step.map { lost.contains($0.gpu) } == true)
        #expect(rollback.code == "gpu_is_lost")
        let others = driver.gpus.filter { !lost.contains($0.uuid) }
        for gpu in others {
          #expect(scenario.places([gpu])[gpu.uuid] == scenario.basePlaces[gpu.uuid], "seed \(scenario.seed)")
        }
        #expect(try store.verified()?.degraded == failure)
        // Once it answers again the same apply goes through.
        driver.state.withLock { $0.lost = [] }
        let again = try ApplyRunner(driver: driver, store: store).apply(scenario.wanted)
        Self.judge(scenario, driver, again, "after the lost GPU came back at call \(call)")
        #expect(again.isVerified)
        #expect(try store.verified()?.degraded == nil)
      }
    }
  }

  private static func callsWithoutFaults(_ scenario: Scenario, _ directory: URL) throws -> Int {
    let driver = MemoryDriver(scenario.gpus)
    _ = try ApplyRunner(driver: driver, store: try scenario.store(in: directory)).apply(scenario.wanted)
    return driver.state.withLock { $0.calls }
  }

  /// Whose an instance is shows in the records also while an apply has not come to its end, and a look at the steps takes
  /// nothing of ours for somebody else's.
  private static func judgeRecords(_ scenario: Scenario, _ driver: MemoryDriver, _ store: NodeStore) throws {
    let known = try store.known()
    for gpu in driver.gpus {
      let owned = known.owned(on: gpu)
      for instance in gpu.instances {
        let isForeign = scenario.foreign.contains { $0.matches(instance, on: gpu.uuid) }
        let isOurs = owned.contains { $0.matches(instance, on: gpu.uuid) }
        #expect(isOurs == !isForeign, "\(scenario.product.name) seed \(scenario.seed): \(instance.place)")
        #expect(!(isForeign && known.isUnfinished(instance, on: gpu)))
      }
    }
    #expect(throws: Never.self, "\(scenario.product.name) seed \(scenario.seed)") {
      try ApplyRunner(driver: driver, store: store).dryRun(scenario.wanted)
    }
  }

  private static func runThroughDeath(
    _ scenario: Scenario, _ driver: MemoryDriver, _ store: NodeStore, dieAt record: (Int, written: Bool)?
  ) throws -> ApplyOutcome {
    var reached = false
    return try runThroughDeath(scenario, driver, store, dieAt: record, reached: &reached)
  }

  /// Applies until the process dies, starts again with what is on the disk, and applies once more if nothing was begun.
  private static func runThroughDeath(
    _ scenario: Scenario, _ driver: MemoryDriver, _ store: NodeStore, dieAt record: (Int, written: Bool)?,
    reached: inout Bool
  ) throws -> ApplyOutcome {
    let count = Mutex(0)
    let journal = store.journal
    let dead = ApplyJournal.Failure.unwritable(path: "dead", errno: 0)
    let first = ApplyRunner(driver: driver, store: store) { (next) throws(ApplyJournal.Failure) in
      let number = count.withLock { count in
        count += 1
        return count
      }
      if let record, number >= record.0 {
        if number == record.0 && record.written { try journal.append(next) }
        throw dead
      }
      if driver.isDead { throw dead }
      try journal.append(next)
    }
    do throws(ApplyJournal.Failure) {
      return try first.apply(scenario.wanted)
    } catch {
      reached = true
    }
    driver.state.withLock { $0.dead = false }
    try judgeRecords(scenario, driver, store)
    let second = ApplyRunner(driver: driver, store: store)
    return try second.resume() ?? second.apply(scenario.wanted)
  }
}
