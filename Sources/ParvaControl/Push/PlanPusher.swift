package import Foundation
package import Logging
package import ParvaEngine
import ParvaHTTP
import ParvaServing
package import ParvaWire
import Synchronization

/// Brings plan revisions to the nodes: one operation at a time, a newer one takes the place of an older one. How an
/// operation is carried out is in the extension.
///
/// Who is to be pushed to is in the store when an operation begins, and how each node ended soon after it did, so that a
/// controller that was killed goes on where it was.
package final class PlanPusher: Sendable {
  package enum Refusal: Error, Hashable, Sendable {
    /// The plan is bound to no nodes.
    case noNodes
    /// The idempotency key was used for another request.
    case keyReused
    case storeFailed(StoreError)
  }

  /// Why an operation is not paused, resumed, aborted or rolled back.
  package enum ControlRefusal: Error, Hashable, Sendable {
    case unknown
    /// It has ended.
    case over
    /// It is on its way back already.
    case rollingBack
    /// No plan before it is known, or that plan is no longer kept.
    case nothingBefore
    case storeFailed(StoreError)
  }

  struct State {
    var tasks: [String: Task<Void, Never>] = [:]
    var controls: [String: RolloutControl] = [:]
    /// What a controller before this one has left unfinished, oldest first; see ``resume()``.
    var open: [StoredOperation]
    /// Nodes that have ended since their operation was last stored; an operation without any has changed otherwise.
    var unstored: [String: Set<String>] = [:]
    var past = PushHistory()
    /// Requests of operators that are stored with the next progress, for the audit.
    var wishes: [(draft: AuditDraft, entry: AuditEntry)] = []
  }

  let store: any Store
  let nodes: NodeRegistry
  let traffic: TrafficBoard
  let settings: PushSettings
  let client: HTTPClient
  let limit: RequestLimit
  let now: @Sendable () -> Date
  /// Requests per second that a plan serves each workload, where the plan is at hand.
  let rates: @Sendable (_ revision: Int) -> [String: Double]?
  /// By workload, the tenants that may not share a GPU, as the demand says now.
  let tenants: @Sendable () -> [String: String]
  let logger: Logger
  let board: OperationBoard
  let events: EventLog
  /// What automatic applies wait for; nil where there are none.
  let automatic = Mutex<FleetDocument.AutoApply?>(nil)
  let state: Mutex<State>
  /// Operations begin one after the other: each waits for the store in its middle.
  let gate = RequestLimit(1)
  let saving = SharedRun<StoreError>()
  /// Nil where automatic applies may move as much as they like.
  let moves: MoveLimit?
  /// Ways are long to find where the fleet is large.
  let queue = WorkQueue("parva.rollouts", yields: true)

  /// - Parameters:
  ///   - open: what a controller before this one has left unfinished, oldest first; see ``resume()``.
  ///   - isFollowing: whether another controller carries it out.
  ///   - onEnd: is told of operations that have ended here.
  package init(
    store: any Store, nodes: NodeRegistry, traffic: TrafficBoard, settings: PushSettings, open: [StoredOperation],
    isFollowing: Bool = false, now: @escaping @Sendable () -> Date, events: EventLog = EventLog(),
    rates: @escaping @Sendable (_ revision: Int) -> [String: Double]?,
    tenants: @escaping @Sendable () -> [String: String],
    onEnd: @escaping @Sendable (FleetOperationDocument) -> Void = { _ in }, logger: Logger
  ) {
    self.events = events
    board = OperationBoard(events, onEnd: onEnd)
    self.rates = rates
    self.tenants = tenants
    self.store = store
    self.nodes = nodes
    self.traffic = traffic
    self.settings = settings
    self.now = now
    self.logger = logger
    client = HTTPClient(configuration: settings.client)
    limit = RequestLimit(settings.concurrency)
    moves = settings.movesPerMinute.map { MoveLimit(most: $0, length: settings.movesWindow) }
    state = Mutex(State(open: open))
    // Those who ask before the pushes go on already wait for the right thing.
    for stored in open {
      guard var document = FleetOperationDocument(stored) else { continue }
      document.resumed += isFollowing ? 0 : 1
      board.add(document)
      if isFollowing { continue }
      let control = RolloutControl(isPaused: document.status == .paused)
      state.withLock { $0.controls[document.id] = control }
    }
  }

  // MARK: - Beginning

  /// How an apply is carried out, where it does not follow the settings.
  package struct Options: Sendable {
    package var maxUnavailable: Double?
    package var onFailure: FleetOperationDocument.Rollout.FailureAction?
    /// Whether nobody asked for it: the limit on what is moved in a minute counts then.
    var isAutomatic = false

    package init(
      maxUnavailable: Double? = nil, onFailure: FleetOperationDocument.Rollout.FailureAction? = nil
    ) {
      self.maxUnavailable = maxUnavailable
      self.onFailure = onFailure
    }
  }

  /// Begins to push a plan, or answers the operation that already does.
  ///
  /// Nodes that have verified what the plan wants of them are `unchanged` and not asked.
  ///
  /// - Parameter names: the nodes to push to, beside what else pushes this plan; nil is all of them.
  package func begin(
    _ plan: PublishedPlan, only names: [String]? = nil, options: Options = Options(), claim: IdempotencyClaim? = nil
  ) async throws(Refusal) -> (document: FleetOperationDocument, isReplay: Bool) {
    try await gate.run { () async throws(Refusal) in try await self.begun(plan, only: names, options, claim) }
  }

  private func begun(
    _ plan: PublishedPlan, only names: [String]?, _ options: Options, _ claim: IdempotencyClaim?
  ) async throws(Refusal) -> (document: FleetOperationDocument, isReplay: Bool) {
    if let claim, let honoured = try await operation(claimedBy: claim) { return (honoured, true) }
    guard let assignments = plan.assignments, !assignments.nodes.isEmpty else { throw .noNodes }
    let revision = plan.record.revision
    let same = board.running.filter { $0.planRevision == revision && $0.status != .rollingBack }
    if names == nil, let whole = same.last(where: { $0.nodes.count == assignments.nodes.count }) {
      return (whole, false)
    }
    let document: FleetOperationDocument
    do {
      document = self.document(
        assignments, names ?? assignments.nodes, isWhole: names == nil, revision, options, try await recalled())
      var batch = StoreBatch()
      let stored = try document.stored(at: now(), claim)
      batch.operations = [stored]
      batch.keptOperations = settings.kept
      try await store.commit(batch, for: AuditDraft.open) {
        $0.change(202, "operations/\(document.id)", after: EntityTag.forRecords(revision, stored.document))
      }
    } catch {
      throw .storeFailed(error)
    }
    trace(document)
    let isOther = { (older: FleetOperationDocument) in
      names == nil || older.planRevision != revision || older.status == .rollingBack
    }
    for older in board.running where isOther(older) { await supersede(older.id) }
    board.add(document)
    let pending = document.nodes.filter { !$0.status.isOver }
    logger.info(
      "pushing",
      metadata: [
        "operation": "\(document.id)", "revision": "\(revision)", "nodes": "\(pending.count)",
        "unchanged": "\(document.nodes.count - pending.count)",
      ])
    await endDrains(of: document)
    let goal = RolloutGoal(
      assignments, rates: plan.rates, before: state.withLock { $0.past.begin(revision, plan.rates) },
      tenants: tenants())
    if pending.isEmpty { await finish(document.id) } else { launch(document, goal) }
    return (board[document.id] ?? document, false)
  }

  /// The operation belongs to the request that asks for it, else to the planning that made its plan.
  private func trace(_ document: FleetOperationDocument) {
    guard let tracer = settings.tracer else { return }
    let planning = tracer.context(of: "plan/\(document.planRevision)")
    guard let parent = Tracer.current ?? planning else { return }
    let span = tracer.begin("apply plan", below: parent, links: [planning].compactMap(\.self))
    tracer.keep(span, as: "operation/\(document.id)")
  }

  private func document(
    _ assignments: NodeAssignments, _ names: [String], isWhole: Bool, _ revision: Int, _ options: Options,
    _ past: PushHistory
  ) -> FleetOperationDocument {
    let id = "apply-\(revision)-\(UUID().uuidString.prefix(8).lowercased())"
    return FleetOperationDocument(
      id: id, planRevision: revision, createdAt: Timestamp.text(now()),
      rollout: FleetOperationDocument.Rollout(
        maxUnavailable: options.maxUnavailable ?? settings.maxUnavailable,
        // Nodes that are pushed to beside others have no plan of their own to go back to.
        onFailure: isWhole ? options.onFailure ?? settings.onFailure : .stop,
        previousRevision: past.inForce(before: revision),
        partial: isWhole ? nil : true, automatic: options.isAutomatic ? true : nil,
        phases: max(past.phases(of: revision), nodes.phases(of: revision))),
      nodes: names.map { name in
        let gpus = assignments.gpus[name] ?? []
        var node = FleetOperationDocument.Node(
          name: name, instances: gpus.reduce(0) { $0 + $1.instances.count })
        let record = nodes.node(name)
        if record?.hasVerified(gpus) == true {
          node.status = .verified
          node.unchanged = true
          node.simulated = record?.state?.simulated
        }
        return node
      })
  }

  /// What was pushed before, from the store where this process has not begun anything yet.
  private func recalled() async throws(StoreError) -> PushHistory {
    let past = state.withLock { $0.past }
    if past.isRecalled { return past }
    let newest = try await store.operations(after: nil, limit: PushHistory.read).compactMap(FleetOperationDocument.init)
    return state.withLock { state in
      state.past.recall(newest)
      return state.past
    }
  }

  /// Whether a revision was aborted or rolled back, or an operation waits for its operator: nothing is pushed by itself then.
  func isHalted(_ revision: Int) async -> Bool {
    if board.running.contains(where: { $0.status != .running }) { return true }
    guard let past = try? await recalled() else { return true }
    return past.isHalted(revision)
  }

  /// The operation that a claim was honoured by, nil where it was not yet.
  package func operation(claimedBy claim: IdempotencyClaim) async throws(Refusal) -> FleetOperationDocument? {
    let stored: StoredOperation?
    do {
      stored = try await store.operation(claimedBy: claim.key)
    } catch {
      throw .storeFailed(error)
    }
    guard let stored, now().timeIntervalSince(stored.createdAt) < IdempotencyClaim.lifetime else { return nil }
    guard stored.claim == claim else { throw .keyReused }
    return board[stored.id] ?? FleetOperationDocument(stored)
  }

  /// Goes on with what a controller before this one has left unfinished.
  package func resume() async { await gate.run { await self.resumed() } }

  private func resumed() async {
    let left = state.withLock { state in
      defer { state.open = [] }
      return state.open
    }
    let newest = left.compactMap { board[$0.id]?.planRevision }.max()
    for stored in left {
      guard let document = board[stored.id], !document.status.isOver else { continue }
      guard document.planRevision == newest else {
        await supersede(document.id)
        continue
      }
      let isReplaced = left.drop { $0.id != stored.id }.dropFirst().contains { later in
        board[later.id].map { $0.planRevision == newest && $0.rollout.partial != true } ?? false
      }
      switch (document.status, document.rollout.ending) {
      case (.rollingBack, _) where isReplaced:
        await supersede(document.id)
        continue
      case (_, .abort):
        await abort(document.id)
        continue
      case (.rollingBack, _), (_, .rollback):
        launchBack(document)
        continue
      default: break
      }
      guard let assignments = await assignments(of: document.planRevision) else {
        await finish(document.id) { document in
          document.endOpenNodes { node in
            node.status = .failed
            (node.code, node.message) = ("plan_forgotten", "the plan is no longer kept; apply the current one")
          }
        }
        continue
      }
      logger.notice("resuming", metadata: ["operation": "\(document.id)", "revision": "\(document.planRevision)"])
      var goal = RolloutGoal(assignments, tenants: tenants())
      if let rates = rates(document.planRevision) { goal.rates = rates }
      launch(document, goal)
    }
  }

  /// What each node is told of a stored plan; nil where it is no longer kept.
  func assignments(of revision: Int) async -> NodeAssignments? {
    (try? await store.plan(revision)).flatMap { NodeAssignments(data: $0.assignments) }
  }

  // MARK: - Running

  package var counted: OperationCount { board.counted }

  /// By which it is estimated how long a roll-out takes.
  package var timing: TransitionTiming { settings.timing }

  /// What automatic applies wait for; nil where there are none.
  package var autoApply: FleetDocument.AutoApply? { automatic.withLock { $0 } }

  /// Nodes that running operations bring this revision to.
  func busy(at revision: Int) -> Set<String> {
    let running = board.running.filter { $0.planRevision == revision }
    return Set(running.lazy.flatMap(\.nodes).filter { !$0.status.isOver }.map(\.name))
  }

  /// Stores what could not be stored before.
  func keep() async {
    guard state.withLock({ !$0.unstored.isEmpty }) else { return }
    do throws(StoreError) {
      try await saving.run { await self.save() }
    } catch {
      // Logged where it happened; it is tried again.
    }
  }

  func supersede(_ id: String) async {
    let task = state.withLock { state in
      state.controls[id] = nil
      return state.tasks.removeValue(forKey: id)
    }
    task?.cancel()
    await finish(id) { document in
      document.status = .superseded
      document.endOpenNodes { $0.status = .superseded }
    }
  }

  /// Takes out the nodes that are drained and have read back that nothing stands on them.
  func endDrains(of document: FleetOperationDocument?) async {
    for node in document?.nodes ?? [] { await endDrain(of: node) }
  }

  func endDrain(of node: FleetOperationDocument.Node) async {
    let name = node.name
    guard node.status == .verified, node.instances == 0, nodes.node(name)?.isDraining == true else { return }
    do throws(ChangeRefusal) {
      try await nodes.finishDrain(of: name)
    } catch {
      logger.error("a drained node cannot be taken out", metadata: ["node": "\(name)", "error": "\(error)"])
    }
  }

  // MARK: - Keeping

  /// Stores what has changed since the last time, as one batch. What cannot be stored is still shown, and tried again.
  func save() async -> StoreError? {
    let (unstored, wishes) = state.withLock { state in
      defer { (state.unstored, state.wishes) = ([:], []) }
      return (state.unstored, state.wishes)
    }
    do throws(StoreError) {
      var batch = StoreBatch()
      batch.audit = wishes.map(\.entry)
      for (id, names) in unstored { batch.progress[id] = try board[id]?.progress(of: names) }
      // What a node has verified comes before the end of its push, as it is written above: a process that ends between the
      // two asks the node again, while the other way round nobody would know any more what stands there.
      try await nodes.flush()
      try await store.commit(batch)
      for (draft, _) in wishes { draft.recorded() }
      return nil
    } catch {
      state.withLock { $0.unstored.merge(unstored) { $0.union($1) } }
      logger.error("operations cannot be stored", metadata: ["error": "\(error)"])
      return error
    }
  }

  /// An operation as it is now, from memory or from the store.
  package func operation(_ id: String, wait: Duration) async throws(StoreError) -> FleetOperationDocument? {
    if let document = await board.wait(for: id, wait) { return document }
    return try await store.operation(id).flatMap(FleetOperationDocument.init)
  }

  /// Newest first, those older than the one of this id, all for nil.
  package func operations(after id: String?, limit: Int) async throws(StoreError) -> [FleetOperationDocument] {
    try await store.operations(after: id, limit: limit).compactMap { board[$0.id] ?? FleetOperationDocument($0) }
  }

  /// Ends every push as it is; what is unfinished goes on at the next start.
  package func stop() async {
    board.close()
    let running = state.withLock { state in
      defer { state.tasks = [:] }
      return state.tasks
    }
    for task in running.values { task.cancel() }
    for task in running.values { await task.value }
    do throws(StoreError) {
      try await saving.run { await self.save() }
    } catch {
      // Logged where it happened.
    }
    client.shutdown()
  }
}
