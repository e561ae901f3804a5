import Foundation
package import Logging
package import ParvaServing
package import ParvaWire
import Synchronization

/// The agent of one node: takes node assignments, applies them one after the other, keeps the last verified one standing.
package final class NodeAgent: Sendable {
  package struct Configuration: Sendable {
    package var name: String
    package var options = ApplyPlanner.Options()
    /// Between two looks whether the GPUs still are as verified.
    package var reconcileInterval = Duration.seconds(60)
    /// Called after every operation, and when a GPU reports an error: what the node shows has changed.
    package var onChange: @Sendable () -> Void = {}

    /// Is told of applies that belong to a trace.
    package var tracer: Tracer?

    package init(name: String, options: ApplyPlanner.Options = ApplyPlanner.Options()) {
      self.name = name
      self.options = options
    }
  }

  package enum Refusal: Error, Hashable, Sendable {
    /// An older revision than the newest that was accepted.
    case stale(latest: AssignmentVersion)
    /// The same revision with other contents.
    case conflict
    /// Of a controller that does not lead any more: one with a later term was seen.
    case superseded(latest: Int)
    /// The term of the controller cannot be kept on disk.
    case unkept(ApplyJournal.Failure)
  }

  /// Looks left before the next attempt to restore, and what it will be after a further failure.
  private struct Backoff {
    var left = 0
    var next = 1
  }

  let store: NodeStore
  /// Known from the first reading on; an operation carries it.
  let simulated: Bool
  let operations: NodeOperations
  let reader: StateReader
  /// The node's name.
  var name: String { configuration.name }
  var tracer: Tracer? { configuration.tracer }
  private let configuration: Configuration
  private let driver: any GPUDriver
  private let services: any InstanceServices
  private let faults: FaultWatch
  private let clock: any Clock<Duration>
  private let logger: Logger
  /// All changes to GPUs and services happen here, one at a time.
  private let queue = WorkQueue("parva.node.apply")
  private let backoff = Mutex(Backoff())

  package init(
    configuration: Configuration, driver: any GPUDriver, store: NodeStore,
    services: any InstanceServices = NoServices(), simulated: Bool, clock: any Clock<Duration> = ContinuousClock(),
    logger: Logger = Logger(label: "parva.node")
  ) {
    self.configuration = configuration
    self.driver = driver
    self.store = store
    self.services = services
    self.simulated = simulated
    self.clock = clock
    self.logger = logger
    operations = NodeOperations(simulated: simulated)
    reader = StateReader(driver: driver, clock: clock)
    faults = FaultWatch(driver: driver, clock: clock, logger: logger, onFault: configuration.onChange)
  }

  // MARK: - Life

  /// Ends what a crash left unfinished and restores the last verified plan where the GPUs differ from it.
  ///
  /// Returns when that is done, whether or not it succeeded; ``run()`` goes on with it.
  package func start() async throws {
    faults.start()
    try await queue.run { try self.begin() }
  }

  private func begin() throws {
    if let left = try store.journal.unfinished() {
      let id = operations.open("resume", left.begin.wanted.version)
      logger.notice("an apply was interrupted", metadata: left.begin.wanted.version.fields)
      perform(id) { runner, progress throws(ApplyJournal.Failure) in
        try runner.resume(options: options(), release: services.release(exceptFor:), progress: progress)
      }
    }
    operations.recall(try store.verified()?.wanted, term: try store.term())
    restoreIfNeeded()
    settleServices()
  }

  /// Looks after everything until the task is cancelled: services every second, GPUs at the configured interval, errors
  /// of the GPUs as they come. Returns when what was begun has ended.
  package func run() async {
    async let watching: Void = faults.run()
    var sinceLook = Duration.zero
    while (try? await clock.sleep(for: .seconds(1))) != nil {
      sinceLook += .seconds(1)
      let look = sinceLook >= configuration.reconcileInterval
      if look { sinceLook = .zero }
      await queue.run { [self] in
        services.tick()
        if look { restoreIfNeeded() }
      }
    }
    await watching
    await settled()
  }

  /// Returns when everything that was accepted so far has ended.
  package func settled() async { await queue.run {} }

  // MARK: - Applying

  /// Accepts a revision and answers the operation that carries it out.
  ///
  /// The same revision again answers the operation that it has, unless that ended without success or the GPUs have come
  /// to differ since: then it is tried anew. Returns before anything is changed.
  ///
  /// - Parameter term: of the controller that sends it; 0 where there is one alone.
  package func submit(_ wanted: NodeAssignment, term: Int = 0) throws(Refusal) -> NodeOperationDocument {
    let isDegraded = (try? store.verified())?.degraded != nil
    let (document, isNew) = try operations.accept(wanted, term: term, isDegraded: isDegraded) {
      term throws(ApplyJournal.Failure) in try store.save(term: term)
    }
    if isNew {
      tracer?.note(Tracer.current, as: "apply/\(document.id)")
      logger.info(
        "assignment accepted",
        metadata: wanted.version.fields.merging(["operation": "\(document.id)", "term": "\(term)"]) { $1 })
    }
    if isNew { queue.add { self.performPending() } }
    return document
  }

  private func performPending() {
    guard let (id, wanted) = operations.takePending() else { return }
    apply(wanted, as: id, options())
    backoff.withLock { $0 = Backoff() }
  }

  private func apply(_ wanted: NodeAssignment, as id: String, _ options: ApplyPlanner.Options) {
    perform(id) { runner, progress throws(ApplyJournal.Failure) in
      try runner.apply(wanted, options: options, release: services.release(exceptFor:), progress: progress)
    }
    // Nothing was released for what was refused.
    if operations.document(id)?.status != .refused { settleServices() }
  }

  /// The options of an apply now: what runs and is ours is no obstacle, since it is ended first.
  private func options(leavingLost: Bool = false) -> ApplyPlanner.Options {
    var options = configuration.options
    options.drainable = services.pids
    options.leavesLost = leavingLost
    return options
  }

  /// Makes the services fit what is verified now.
  private func settleServices() {
    guard let verified = try? store.verified() else { return }
    services.release(exceptFor: verified.wanted)
    services.run(verified.wanted, on: verified.holdings.owned)
  }

  /// Runs one apply on the caller's thread, which is the queue's, and keeps its operation up to date.
  private func perform(
    _ id: String,
    _ body: (ApplyRunner, (ApplyRunner.Progress) -> Void) throws(ApplyJournal.Failure) -> ApplyOutcome?
  ) {
    operations.begin(id)
    let span = tracer?.context(of: "apply/\(id)").flatMap { tracer?.begin("apply", below: $0) }
    do throws(ApplyJournal.Failure) {
      let runner = ApplyRunner(driver: driver, store: store)
      operations.end(id, .success(try body(runner) { operations.advance(id, $0) }))
    } catch {
      logger.error("the node's own records cannot be kept", metadata: ["error": "\(error)"])
      operations.end(id, .failure(error))
    }
    configuration.onChange()
    let operation = operations.document(id)
    if let span, let operation {
      tracer?.end(
        span,
        [
          ("parva.version", .text("\(operation.version)")), ("parva.steps", .number(operation.steps.count)),
          ("parva.status", .text(operation.status.rawValue)), ("parva.node", .text(name)),
        ], error: operation.status == .verified ? nil : operation.status.rawValue)
    }
    var told = operation?.version.fields ?? [:]
    if let operation { told["status"] = "\(operation.status.rawValue)" }
    (told["operation"], told["simulated"]) = ("\(id)", "\(simulated)")
    logger.notice("apply ended", metadata: told)
  }

  /// Applies the last verified plan again where the GPUs have come to differ, as after a reboot.
  ///
  /// After a failure the next tries wait 1, 2, 4, ... up to 32 looks.
  private func restoreIfNeeded() {
    let isEarly = backoff.withLock { backoff in
      defer { backoff.left = max(0, backoff.left - 1) }
      return backoff.left > 0
    }
    // Also while a restoration waits: what is gone now and there again at the next look would pass for ours.
    disownMissing()
    guard !isEarly, !operations.hasPending, let verified = try? store.verified() else { return }
    let options = options(leavingLost: true)
    let plan = try? ApplyRunner(driver: driver, store: store).dryRun(verified.wanted, options: options)
    // A GPU that was lost may come back without what was on record there.
    if let plan, plan.steps.isEmpty, verified.degraded == .lost(plan.lost),
      Set(plan.owned) == Set(verified.holdings.owned)
    {
      return
    }
    logger.notice(
      "the GPUs differ from the last verified plan",
      metadata: verified.wanted.version.fields.merging(
        plan.map { ["steps": "\($0.steps.count)"] } ?? [:], uniquingKeysWith: { $1 }))
    let id = operations.open("restore", verified.wanted.version)
    apply(verified.wanted, as: id, options)
    let restored = operations.document(id)?.status == .verified
    backoff.withLock { $0 = restored ? Backoff() : Backoff(left: $0.next, next: min(32, $0.next * 2)) }
  }

  private func disownMissing() {
    let gone = (try? ApplyRunner(driver: driver, store: store).disownMissing()) ?? 0
    if gone > 0 { logger.warning("instances are gone that nobody here removed", metadata: ["count": "\(gone)"]) }
  }

  // MARK: - Showing

  /// What an operation looks like now.
  package func operation(_ id: String) -> NodeOperationDocument? { operations.document(id) }

  /// What the node shows and owns at one moment. While an operation runs the two do not fit together, and it is named.
  package func document() async throws -> NodeStateDocument {
    var before = operations.mark
    var observed = try await reader.observe()
    var verified = try store.verified()
    var after = operations.mark
    // An operation that ended meanwhile has left a reading from before beside records from after it.
    for _ in 0..<8 where before.ended != after.ended {
      before = after
      observed = try await reader.observe()
      verified = try store.verified()
      after = operations.mark
    }
    if before.running == nil, after.running == nil, let owned = verified?.holdings.owned,
      observed.gpus.contains(where: { gpu in owned.contains { $0.isGone(from: gpu) } })
    {
      queue.add { [self] in disownMissing() }
    }
    let answering = Set(observed.gpus.filter { $0.fault == nil }.map(\.uuid))
    let owned = Dictionary(grouping: verified?.holdings.owned ?? [], by: \.gpu)
    let lost = owned.keys.filter { !answering.contains($0) }.sorted().map { gpu in
      LostDocument(
        gpu: gpu, code: observed.gpus.first { $0.uuid == gpu }?.fault ?? DriverError.notFound,
        instances: (owned[gpu] ?? []).map(OwnedDocument.init))
    }
    return NodeStateDocument(
      name: configuration.name, simulated: observed.simulated, observed: observed,
      verified: verified.map {
        VerifiedDocument($0.wanted.version, degraded: $0.degraded?.description)
      },
      accepted: operations.latestRevision, term: operations.latestTerm,
      owned: (verified?.holdings.owned ?? []).filter { answering.contains($0.gpu) }.map(OwnedDocument.init),
      lost: lost.isEmpty ? nil : lost, services: services.documents, faults: faults.documents,
      operation: before.running ?? after.running, managesMIGMode: configuration.options.manageMIGMode)
  }
}

extension NodeAssignment {
  /// Why it may not come after what was accepted last; nil where it may, and where it is the same.
  package func refusal(after latest: NodeAssignment) -> NodeAgent.Refusal? {
    if version < latest.version { return .stale(latest: latest.version) }
    return version == latest.version && self != latest ? .conflict : nil
  }
}
