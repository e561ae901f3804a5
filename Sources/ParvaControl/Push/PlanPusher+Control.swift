import Logging
package import ParvaWire
import Synchronization

/// What an operator asks of an operation.
extension PlanPusher {
  package enum Wish: String, Sendable, CaseIterable {
    case pause, resume, abort
    /// To bring back what stood before.
    case rollback
  }

  /// Does what an operator asks; what nodes work on goes on to its end there. Stored when it returns.
  package func control(_ id: String, _ wish: Wish) async throws(ControlRefusal) -> FleetOperationDocument {
    guard let document = board[id], !document.status.isOver else {
      if wish == .rollback {
        return try await gate.run { () async throws(ControlRefusal) in try await self.backAgain(id) }
      }
      throw try await stored({ () async throws(StoreError) in try await self.store.operation(id) }) == nil
        ? .unknown : .over
    }
    guard let control = state.withLock({ $0.controls[id] }) else { throw .over }
    if document.status == .rollingBack && wish != .abort { throw .rollingBack }
    if wish == .rollback { try await checkWayBack(of: document) }
    try endDryRun(with: document.wishing(wish))
    logger.notice("operation controlled", metadata: ["operation": "\(id)", "wish": "\(wish.rawValue)"])
    board.update(id) { $0 = $0.wishing(wish) }
    control.change { wishes in
      switch wish {
      case .pause: wishes.isPaused = true
      case .resume: wishes.isPaused = false
      // The later word counts.
      case .abort: (wishes.isAborted, wishes.rollsBack) = (true, false)
      case .rollback: (wishes.isAborted, wishes.rollsBack) = (false, true)
      }
    }
    try await keepHead(of: id)
    return board[id] ?? document
  }

  /// Begins the way back of the newest operation over all nodes, which has failed or was aborted; a way back that failed
  /// is tried once more by it.
  private func backAgain(_ id: String) async throws(ControlRefusal) -> FleetOperationDocument {
    let newest = try await stored { () async throws(StoreError) in
      try await self.store.operations(after: nil, limit: PushHistory.read)
    }.compactMap { board[$0.id] ?? FleetOperationDocument($0) }.first { $0.rollout.partial != true }
    guard var document = newest, document.id == id, [.failed, .aborted].contains(document.status) else {
      throw try await stored({ () async throws(StoreError) in try await self.store.operation(id) }) == nil
        ? .unknown : .over
    }
    try await checkWayBack(of: document)
    document.status = .rollingBack
    document.rollout.ending = .rollback
    try endDryRun(with: document)
    logger.notice("operation controlled", metadata: ["operation": "\(id)", "wish": "rollback"])
    for other in board.running { await supersede(other.id) }
    document.updatedAt = Timestamp.text(now())
    board.reopen(document)
    try await keepHead(of: id)
    launchBack(document)
    return board[id] ?? document
  }

  private static func row(of draft: AuditDraft, _ document: FleetOperationDocument) -> AuditEntry {
    draft.change(202, "operations/\(document.id)", after: "\(document.planRevision).\(document.status.rawValue)")
  }

  /// Before anything of an operation is changed.
  private func endDryRun(with document: FleetOperationDocument) throws(ControlRefusal) {
    guard let draft = AuditDraft.open, draft.isDryRun else { return }
    var batch = StoreBatch()
    batch.audit = [Self.row(of: draft, document)]
    do throws(StoreError) {
      try store.end(draft, with: batch)
    } catch {
      throw .storeFailed(error)
    }
  }

  private func checkWayBack(of document: FleetOperationDocument) async throws(ControlRefusal) {
    guard let revision = document.rollout.previousRevision, let back = await assignments(of: revision),
      back.gpus.keys.allSatisfy({ nodes.node($0) != nil })
    else { throw .nothingBefore }
  }

  private func keepHead(of id: String) async throws(ControlRefusal) {
    state.withLock { state in
      state.unstored[id, default: []].formUnion([])
      guard let draft = AuditDraft.open, let document = board[id] else { return }
      state.wishes.append((draft, Self.row(of: draft, document)))
    }
    try await stored { () async throws(StoreError) in try await self.saving.run { await self.save() } }
  }

  private func stored<Answer: Sendable>(
    _ body: @Sendable () async throws(StoreError) -> Answer
  ) async throws(ControlRefusal) -> Answer {
    do throws(StoreError) {
      return try await body()
    } catch {
      throw .storeFailed(error)
    }
  }
}

extension FleetOperationDocument {
  /// The same as an operator wishes it.
  fileprivate func wishing(_ wish: PlanPusher.Wish) -> FleetOperationDocument {
    var document = self
    switch wish {
    case .pause: if document.status == .running { document.status = .paused }
    case .resume: if document.status == .paused { document.status = .running }
    // Kept, so that it holds after a restart, too.
    case .abort: document.rollout.ending = .abort
    case .rollback: document.rollout.ending = .rollback
    }
    return document
  }
}
