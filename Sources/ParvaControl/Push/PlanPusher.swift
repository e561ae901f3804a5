package import Foundation
package import Logging
import ParvaHTTP
package import ParvaWire
import Synchronization

/// Brings plan revisions to the nodes: one operation at a time, a newer one takes the place of an older one.
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

  private struct State {
    var tasks: [String: Task<Void, Never>] = [:]
    /// What a controller before this one has left unfinished, oldest first; see ``resume()``.
    var open: [StoredOperation]
    /// Nodes that have ended since their operation was last stored; an operation without any has changed otherwise.
    var unstored: [String: Set<String>] = [:]
  }

  private let store: any Store
  private let nodes: NodeRegistry
  private let settings: PushSettings
  private let client: HTTPClient
  private let limit: RequestLimit
  private let now: @Sendable () -> Date
  private let logger: Logger
  let board = OperationBoard()
  private let state: Mutex<State>
  /// Operations begin one after the other: each waits for the store in its middle.
  private let gate = RequestLimit(1)
  private let saving = SharedRun<StoreError>()

  /// - Parameter open: what a controller before this one has left unfinished, oldest first; see ``resume()``.
  package init(
    store: any Store, nodes: NodeRegistry, settings: PushSettings, open: [StoredOperation],
    now: @escaping @Sendable () -> Date, logger: Logger
  ) {
    self.store = store
    self.nodes = nodes
    self.settings = settings
    self.now = now
    self.logger = logger
    client = HTTPClient(configuration: settings.client)
    limit = RequestLimit(settings.concurrency)
    state = Mutex(State(open: open))
    // Those who ask before the pushes go on already wait for the right thing.
    for stored in open {
      guard var document = FleetOperationDocument(stored) else { continue }
      document.resumed += 1
      board.add(document)
    }
  }

  // MARK: - Beginning

  /// Begins to push a plan, or answers the operation that already does.
  ///
  /// Nodes that have verified what the plan wants of them are `unchanged` and not asked.
  ///
  /// - Parameter names: the nodes to push to, beside what else pushes this plan; nil is all of them.
  package func begin(
    _ plan: PublishedPlan, only names: [String]? = nil, claim: IdempotencyClaim? = nil
  ) async throws(Refusal) -> (document: FleetOperationDocument, isReplay: Bool) {
    try await gate.run { () async throws(Refusal) in try await self.begun(plan, only: names, claim) }
  }

  private func begun(
    _ plan: PublishedPlan, only names: [String]?, _ claim: IdempotencyClaim?
  ) async throws(Refusal) -> (document: FleetOperationDocument, isReplay: Bool) {
    if let claim, let honoured = try await operation(claimedBy: claim) { return (honoured, true) }
    guard let assignments = plan.assignments, !assignments.nodes.isEmpty else { throw .noNodes }
    let revision = plan.record.revision
    let same = board.running.filter { $0.planRevision == revision }
    if names == nil, let whole = same.last(where: { $0.nodes.count == assignments.nodes.count }) {
      return (whole, false)
    }
    let document = self.document(assignments, names ?? assignments.nodes, revision)
    do {
      var batch = StoreBatch()
      batch.operations = [try document.stored(at: now(), claim)]
      batch.keptOperations = settings.kept
      try await store.commit(batch)
    } catch {
      throw .storeFailed(error)
    }
    for older in board.running where names == nil || older.planRevision != revision { await supersede(older.id) }
    board.add(document)
    let pending = document.nodes.filter { !$0.status.isOver }
    logger.info(
      "pushing",
      metadata: [
        "operation": "\(document.id)", "revision": "\(revision)", "nodes": "\(pending.count)",
        "unchanged": "\(document.nodes.count - pending.count)",
      ])
    for node in document.nodes where node.status == .verified && node.instances == 0 { await endDrain(of: node.name) }
    if pending.isEmpty { await finish(document.id) } else { launch(document, assignments) }
    return (board[document.id] ?? document, false)
  }

  private func document(_ assignments: NodeAssignments, _ names: [String], _ revision: Int) -> FleetOperationDocument {
    let id = "apply-\(revision)-\(UUID().uuidString.prefix(8).lowercased())"
    return FleetOperationDocument(
      id: id, planRevision: revision, createdAt: Timestamp.text(now()),
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
      let plan = try? await store.plan(document.planRevision)
      guard let assignments = plan.flatMap({ NodeAssignments(data: $0.assignments) }) else {
        await finish(document.id) { document in
          for index in document.nodes.indices where !document.nodes[index].status.isOver {
            document.nodes[index].status = .failed
            document.nodes[index].code = "plan_forgotten"
            document.nodes[index].message = "the plan is no longer kept; apply the current one"
          }
        }
        continue
      }
      logger.notice("resuming", metadata: ["operation": "\(document.id)", "revision": "\(document.planRevision)"])
      launch(document, assignments)
    }
  }

  // MARK: - Running

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

  private func launch(_ document: FleetOperationDocument, _ assignments: NodeAssignments) {
    let pushes = document.nodes.filter { !$0.status.isOver }.map { push(document, $0.name, assignments) }
    for push in pushes { nodes.expect(push.wanted, on: push.node) }
    let task = Task {
      await withTaskGroup { group in
        for push in pushes { group.addTask { await push.run() } }
      }
      guard !Task.isCancelled else { return }
      await finish(document.id)
    }
    state.withLock { $0.tasks[document.id] = task }
  }

  private func push(_ document: FleetOperationDocument, _ name: String, _ assignments: NodeAssignments) -> NodePush {
    let wanted = assignments.wanted(name, revision: document.planRevision)
    return NodePush(
      operation: document.id, node: name, wanted: wanted, nodes: nodes, settings: settings, client: client,
      limit: limit, now: { [now] in Int(now().timeIntervalSince1970) },
      report: { change in await self.update(document.id, wanted, name, change) })
  }

  private func update(
    _ id: String, _ wanted: NodeAssignment, _ name: String,
    _ change: @Sendable (inout FleetOperationDocument.Node) -> Void
  ) async {
    let time = Timestamp.text(now())
    let ended = board.update(id) { document -> FleetOperationDocument.Node? in
      guard let index = document.nodeIndex(name), !document.nodes[index].status.isOver else { return nil }
      change(&document.nodes[index])
      document.updatedAt = time
      return document.nodes[index].status.isOver ? document.nodes[index] : nil
    }
    guard case .some(.some(let ended)) = ended else { return }
    nodes.pushed(revision: wanted.revision, to: name, verified: ended.status == .verified ? wanted : nil)
    state.withLock { _ = $0.unstored[id, default: []].insert(name) }
    saving.request { await self.save() }
    logger.log(
      level: ended.status == .verified ? .info : .warning, "node ended",
      metadata: [
        "operation": "\(id)", "node": "\(name)", "status": "\(ended.status.rawValue)", "code": "\(ended.code ?? "-")",
      ])
    if ended.status == .verified && ended.instances == 0 { await endDrain(of: name) }
  }

  private func endDrain(of name: String) async {
    guard nodes.node(name)?.isDraining == true else { return }
    do throws(ChangeRefusal) {
      try await nodes.finishDrain(of: name)
    } catch {
      logger.error("a drained node cannot be taken out", metadata: ["node": "\(name)", "error": "\(error)"])
    }
  }

  private func supersede(_ id: String) async {
    state.withLock { $0.tasks.removeValue(forKey: id) }?.cancel()
    await finish(id) { document in
      document.status = .superseded
      for index in document.nodes.indices where !document.nodes[index].status.isOver {
        document.nodes[index].status = .superseded
      }
    }
  }

  private func finish(
    _ id: String, _ change: @Sendable (inout FleetOperationDocument) -> Void = { _ in }
  ) async {
    state.withLock { $0.tasks[id] = nil }
    let time = Timestamp.text(now())
    let ended = board.update(id) { document in
      let open = document.nodes.filter { !$0.status.isOver }.map(\.name)
      change(&document)
      document.updatedAt = time
      if document.status == .running {
        document.status = document.nodes.allSatisfy { $0.status == .verified } ? .verified : .failed
      }
      return (open: open, status: document.status, revision: document.planRevision)
    }
    guard let ended else { return }
    for name in ended.open { nodes.pushed(revision: ended.revision, to: name, verified: nil) }
    state.withLock { $0.unstored[id, default: []].formUnion(ended.open) }
    do throws(StoreError) {
      try await saving.run { await self.save() }
    } catch {
      // Logged where it happened; after a restart the nodes are asked again.
    }
    logger.notice("operation ended", metadata: ["operation": "\(id)", "status": "\(ended.status.rawValue)"])
  }

  // MARK: - Keeping

  /// Stores what has changed since the last time, as one batch. What cannot be stored is still shown, and tried again.
  private func save() async -> StoreError? {
    let unstored = state.withLock { state in
      defer { state.unstored = [:] }
      return state.unstored
    }
    do throws(StoreError) {
      var batch = StoreBatch()
      for (id, names) in unstored { batch.progress[id] = try board[id]?.progress(of: names) }
      // What a node has verified comes before the end of its push, as it is written above: a process that ends between the
      // two asks the node again, while the other way round nobody would know any more what stands there.
      try await nodes.flush()
      try await store.commit(batch)
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
