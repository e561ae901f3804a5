package import Foundation
package import Logging
import ParvaHTTP
package import ParvaWire
import Synchronization

/// Brings plan revisions to the nodes: one operation at a time, a newer revision takes the place of an older one.
///
/// Every change of a node's status is in the store before the next one, so that a controller that was killed goes on
/// where it was.
package actor PlanPusher {
  package enum Refusal: Error, Hashable, Sendable {
    /// The plan is bound to no nodes.
    case noNodes
    /// The idempotency key was used for another request.
    case keyReused
    case storeFailed(StoreError)
  }

  private let store: any Store
  private let nodes: NodeRegistry
  private let settings: PushSettings
  private let client: HTTPClient
  private let limit: RequestLimit
  private let now: @Sendable () -> Date
  private let logger: Logger
  nonisolated let board = OperationBoard()
  private let gate = SerialGate()
  /// Keeps the store's order that of the changes.
  private let keeping = SerialGate()
  private var tasks: [String: Task<Void, Never>] = [:]
  private var open: [StoredOperation]
  private var claims: [String: IdempotencyClaim] = [:]

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
    self.open = open
    // Those who ask before the pushes go on already wait for the right thing.
    for stored in open {
      guard var document = Self.document(stored) else { continue }
      if let claim = stored.claim { claims[stored.id] = claim }
      document.resumed += 1
      board.add(document)
    }
  }

  // MARK: - Beginning

  /// Begins to push a plan, or answers the operation that already does.
  package func begin(
    _ plan: PublishedPlan, claim: IdempotencyClaim? = nil
  ) async throws(Refusal) -> (document: FleetOperationDocument, isReplay: Bool) {
    await gate.enter()
    defer { gate.leave() }
    if let claim, let honoured = try await operation(claimedBy: claim) { return (honoured, true) }
    guard let slices = plan.slices, !slices.gpus.isEmpty else { throw .noNodes }
    let revision = plan.record.revision
    if let running = board.running.last, running.planRevision == revision { return (running, false) }
    let id = "apply-\(revision)-\(UUID().uuidString.prefix(8).lowercased())"
    let document = FleetOperationDocument(
      id: id, planRevision: revision, createdAt: Timestamp.text(now()),
      nodes: slices.gpus.sorted { $0.key < $1.key }.map { name, gpus in
        .init(name: name, instances: gpus.reduce(0) { $0 + $1.instances.count })
      })
    if let claim { claims[id] = claim }
    do {
      try await save(document)
    } catch {
      throw .storeFailed(error)
    }
    for older in board.running { await supersede(older.id) }
    board.add(document)
    launch(document, slices)
    logger.info(
      "pushing", metadata: ["operation": "\(id)", "revision": "\(revision)", "nodes": "\(slices.gpus.count)"])
    return (document, false)
  }

  private func operation(claimedBy claim: IdempotencyClaim) async throws(Refusal) -> FleetOperationDocument? {
    let stored: StoredOperation?
    do {
      stored = try await store.operation(claimedBy: claim.key)
    } catch {
      throw .storeFailed(error)
    }
    guard let stored, now().timeIntervalSince(stored.createdAt) < DemandRegistry.claimLifetime else { return nil }
    guard stored.claim == claim else { throw .keyReused }
    return board[stored.id] ?? Self.document(stored)
  }

  /// Goes on with what a controller before this one has left unfinished.
  package func resume() async {
    await gate.enter()
    defer { gate.leave() }
    let left = open
    open = []
    for (index, stored) in left.enumerated() {
      guard let document = board[stored.id], !document.status.isOver else { continue }
      guard index == left.count - 1 else {
        await supersede(document.id)
        continue
      }
      let plan = try? await store.plan(document.planRevision)
      guard let slices = plan.flatMap({ NodeSlices(data: $0.slices) }) else {
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
      launch(document, slices)
    }
  }

  // MARK: - Running

  private func launch(_ document: FleetOperationDocument, _ slices: NodeSlices) {
    let pending = document.nodes.filter { !$0.status.isOver }.map(\.name)
    tasks[document.id] = Task { [weak self] in
      await withTaskGroup { group in
        for name in pending {
          let push = await self?.push(document, name, slices)
          group.addTask { await push?.run() }
        }
      }
      guard !Task.isCancelled else { return }
      await self?.finish(document.id)
    }
  }

  private func push(_ document: FleetOperationDocument, _ name: String, _ slices: NodeSlices) -> NodePush {
    let wanted = slices.wanted(name, revision: document.planRevision)
    return NodePush(
      operation: document.id, node: name, wanted: wanted, nodes: nodes,
      settings: settings, client: client, limit: limit,
      now: { [now] in Int(now().timeIntervalSince1970) },
      report: { [weak self] change in await self?.update(document.id, name, wanted, change) })
  }

  private func update(
    _ id: String, _ name: String, _ wanted: WantedNode, _ change: @Sendable (inout FleetOperationDocument.Node) -> Void
  ) async {
    let time = Timestamp.text(now())
    var ended: FleetOperationDocument.Node?
    var isNews = false
    let document = board.update(id) { document in
      guard let index = document.nodes.firstIndex(where: { $0.name == name }) else { return }
      let before = document.nodes[index].status
      change(&document.nodes[index])
      document.updatedAt = time
      isNews = document.nodes[index].status != before
      if isNews, document.nodes[index].status.isOver { ended = document.nodes[index] }
    }
    guard isNews, let document else { return }
    if let ended, ended.status == .verified { nodes.pushed(wanted, to: name) }
    await keep(document)
    guard let ended else { return }
    logger.log(
      level: ended.status == .verified ? .info : .warning, "node ended",
      metadata: [
        "operation": "\(id)", "node": "\(name)", "status": "\(ended.status.rawValue)", "code": "\(ended.code ?? "-")",
      ])
    if ended.status == .verified && ended.instances == 0 { try? await nodes.finishDrain(of: name) }
  }

  private func supersede(_ id: String) async {
    tasks.removeValue(forKey: id)?.cancel()
    await finish(id) { document in
      document.status = .superseded
      for index in document.nodes.indices where !document.nodes[index].status.isOver {
        document.nodes[index].status = .superseded
      }
    }
  }

  private func finish(_ id: String, _ change: (inout FleetOperationDocument) -> Void = { _ in }) async {
    tasks[id] = nil
    let time = Timestamp.text(now())
    let document = board.update(id) { document in
      change(&document)
      document.updatedAt = time
      if document.status == .running {
        document.status = document.nodes.allSatisfy { $0.status == .verified } ? .verified : .failed
      }
    }
    guard let document else { return }
    await keep(document)
    logger.notice("operation ended", metadata: ["operation": "\(id)", "status": "\(document.status.rawValue)"])
  }

  // MARK: - Keeping

  /// A status that cannot be stored is still shown; after a restart the node is asked again.
  private func keep(_ document: FleetOperationDocument) async {
    await keeping.enter()
    defer { keeping.leave() }
    do {
      try await save(board[document.id] ?? document)
    } catch {
      logger.error("an operation cannot be stored", metadata: ["operation": "\(document.id)", "error": "\(error)"])
    }
  }

  private func save(_ document: FleetOperationDocument) async throws(StoreError) {
    var batch = StoreBatch()
    let data: Data
    do {
      data = try JSONEncoder().encode(document)
    } catch {
      throw StoreError(.failed, "an operation cannot be written: \(error)")
    }
    batch.operations = [
      StoredOperation(
        id: document.id, planRevision: document.planRevision, createdAt: now(), isOver: document.status.isOver,
        claim: claims[document.id], document: data)
    ]
    batch.keptOperations = settings.kept
    try await store.commit(batch)
    if document.status.isOver { claims[document.id] = nil }
  }

  private static func document(_ stored: StoredOperation) -> FleetOperationDocument? {
    try? JSONDecoder().decode(FleetOperationDocument.self, from: stored.document)
  }

  /// An operation as it is now, from memory or from the store.
  package func operation(_ id: String, wait: Duration) async throws(StoreError) -> FleetOperationDocument? {
    if let document = await board.wait(for: id, wait) { return document }
    return try await store.operation(id).flatMap(Self.document)
  }

  /// Newest first, those older than the one of this id, all for nil.
  package func operations(after id: String?, limit: Int) async throws(StoreError) -> [FleetOperationDocument] {
    try await store.operations(after: id, limit: limit).compactMap { board[$0.id] ?? Self.document($0) }
  }

  /// Ends every push as it is; what is unfinished goes on at the next start.
  package func stop() async {
    board.close()
    let running = tasks
    tasks = [:]
    for task in running.values { task.cancel() }
    for task in running.values { await task.value }
    client.shutdown()
  }
}
