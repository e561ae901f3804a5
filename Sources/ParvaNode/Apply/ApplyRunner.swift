import Foundation
package import ParvaWire

/// Drives an ``ApplyMachine`` with a driver and a journal. One apply at a time per node; the caller sees to that.
package struct ApplyRunner: Sendable {
  /// How far an apply is; told after each record.
  package struct Progress: Codable, Hashable, Sendable {
    package var steps: [ApplyStep]
    package var completed: Int
    package var failure: ApplyFailure?
  }

  package let driver: any GPUDriver
  package let store: NodeStore
  private let pause: @Sendable (Duration) -> Void
  private let append: @Sendable (JournalRecord) throws(ApplyJournal.Failure) -> Void

  package init(driver: any GPUDriver, store: NodeStore) {
    let journal = store.journal
    self.init(driver: driver, store: store) { (record) throws(ApplyJournal.Failure) in try journal.append(record) }
  }

  /// `pause` stands in for waiting in tests.
  init(driver: any GPUDriver, store: NodeStore, pause: @escaping @Sendable (Duration) -> Void) {
    let journal = store.journal
    self.init(driver: driver, store: store, pause: pause) { (record) throws(ApplyJournal.Failure) in
      try journal.append(record)
    }
  }

  /// `append` stands in for the journal's in tests that crash there, `pause` for waiting.
  init(
    driver: any GPUDriver, store: NodeStore,
    pause: @escaping @Sendable (Duration) -> Void = { Thread.sleep(forTimeInterval: $0 / .seconds(1)) },
    append: @escaping @Sendable (JournalRecord) throws(ApplyJournal.Failure) -> Void
  ) {
    self.driver = driver
    self.store = store
    self.pause = pause
    self.append = append
  }

  /// Applies a plan. An apply that a crash left unfinished is brought to its end first.
  ///
  /// `release` ends what runs on instances that go or that are to run something else. It is called once nothing stands
  /// against the plan any more, and before anything is changed; never for a plan that is refused.
  package func apply(
    _ wanted: NodeAssignment, options: ApplyPlanner.Options = ApplyPlanner.Options(),
    release: (NodeAssignment) -> Void = { _ in }, progress: (Progress) -> Void = { _ in }
  ) throws(ApplyJournal.Failure) -> ApplyOutcome {
    _ = try resume(options: options, release: release, progress: progress)
    try disownMissing()
    let before = try store.verified()
    try store.rehearse(wanted)
    let machine = ApplyMachine(
      wanted: wanted, base: before?.holdings.owned ?? [], holdings: before?.holdings ?? Holdings(),
      bootID: store.bootID, options: options)
    return try run(machine, release, progress)
  }

  /// Ends the ownership of instances that are gone though no journal says why: ids and UUIDs are bound to the place, so one
  /// that somebody makes there later looks the same and is not ours. Answers how many there were.
  @discardableResult
  package func disownMissing() throws(ApplyJournal.Failure) -> Int {
    guard var verified = try store.verified(), !verified.holdings.owned.isEmpty,
      let gpus = try? driver.observe().gpus
    else { return 0 }
    let before = verified.holdings.owned.count
    verified.holdings.owned.removeAll { owned in gpus.contains { owned.isGone(from: $0) } }
    if verified.holdings.owned.count < before { try store.save(verified) }
    return before - verified.holdings.owned.count
  }

  /// Brings an unfinished apply to its end: forward, or back when it had failed already. Nil when there is none.
  package func resume(
    options: ApplyPlanner.Options = ApplyPlanner.Options(), release: (NodeAssignment) -> Void = { _ in },
    progress: (Progress) -> Void = { _ in }
  ) throws(ApplyJournal.Failure) -> ApplyOutcome? {
    try store.journal.trim()
    guard let left = try store.journal.unfinished() else {
      try store.journal.clear()
      return nil
    }
    if let owned = left.verified, left.begin.bootID == store.bootID {
      let outcome: ApplyOutcome =
        if let failure = left.failure {
          .rolledBack(failure, owned: owned)
        } else {
          .verified(owned: owned, lost: left.lost)
        }
      try store.settle(outcome, of: left.begin.wanted, lost: left.lost)
      return outcome
    }
    return try run(ApplyMachine(resuming: left, bootID: store.bootID, options: options), release, progress)
  }

  /// What an apply would do, without doing any of it.
  package func dryRun(
    _ wanted: NodeAssignment, options: ApplyPlanner.Options = ApplyPlanner.Options()
  ) throws -> ApplyPlanner.Result {
    let gpus = try driver.observe().gpus
    let crowded = ApplyPlanner.crowded(wanted, on: gpus)
    if !crowded.isEmpty { throw ApplyRefusal(crowded) }
    let target = Dictionary(wanted.gpus.map { ($0.uuid, $0.instances.map(\.place)) }) { $0 + $1 }
    return try ApplyPlanner.plan(
      observed: gpus, wanted: target, owned: try store.known().owned(on: gpus), options: options)
  }

  private func run(
    _ start: ApplyMachine, _ release: (NodeAssignment) -> Void, _ progress: (Progress) -> Void
  ) throws(ApplyJournal.Failure) -> ApplyOutcome {
    var machine = start
    var input = ApplyMachine.Input.begin
    while true {
      switch machine.next(input) {
      case .record(let record):
        try append(record)
        progress(Progress(steps: machine.steps, completed: machine.completed, failure: machine.failure))
        input = .recorded
      case .release(let wanted):
        release(wanted)
        input = .released
      case .read(let gpu):
        input = .read(read(gpu))
      case .perform(let step):
        do throws(DriverError) {
          try perform(step)
          input = .performed(nil)
        } catch {
          input = .performed(named(error, step))
        }
      case .pause(let duration):
        pause(duration)
        input = .paused
      case .finish(let outcome):
        try store.settle(outcome, of: machine.wanted, lost: machine.lost)
        return outcome
      }
    }
  }

  /// An error for want of release with who it is that holds the GPU or its instance, one for want of a right with what gives
  /// it.
  private func named(_ error: DriverError, _ step: ApplyStep) -> DriverError {
    if error.code == "no_permission" {
      var error = error
      if case .enableMIG = step {
        error.detail += "; the mode takes CAP_SYS_ADMIN: `parva node prepare --mig` turns it on as root"
      } else {
        error.detail += "; it takes the capability mig/config, whose node `parva node prepare --group` makes as root"
      }
      return error
    }
    guard error.code == DriverError.inUse || error.code == "reset_required" else { return error }
    let instance: Int? =
      switch step {
      case .destroyCompute(_, _, let instance, _), .destroyInstance(_, _, let instance): instance
      case .enableMIG, .createInstance, .createCompute: nil
      }
    var error = error
    error.detail += "; " + DeviceHolders.clause(driver.holders(gpu: step.gpu, instance: instance))
    return error
  }

  private func read(_ gpu: String) -> Result<ObservedGPU, DriverError> {
    do throws(DriverError) {
      return .success(try driver.observe(gpu: gpu))
    } catch {
      return .failure(error)
    }
  }

  private func perform(_ step: ApplyStep) throws(DriverError) {
    switch step {
    case .enableMIG(let gpu): try MIGModeSwitch(driver: driver).enable(gpu)
    case .destroyCompute(let gpu, _, let instance, let compute):
      try driver.destroyCompute(gpu: gpu, instance: instance, compute: compute)
    case .destroyInstance(let gpu, _, let instance):
      try driver.destroyInstance(gpu: gpu, instance: instance)
    case .createInstance(let gpu, let place):
      _ = try driver.createInstance(gpu: gpu, profileID: place.profileID, start: place.start)
    case .createCompute(let gpu, let place):
      let there = try driver.observe(gpu: gpu).instance(profileID: place.profileID, start: place.start)
      guard let there else {
        throw DriverError(code: DriverError.notFound, call: "read back", detail: "no GPU instance of \(place)")
      }
      try driver.createCompute(gpu: gpu, instance: there.id)
    }
  }
}
