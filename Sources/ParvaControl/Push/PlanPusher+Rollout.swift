import Foundation
import Logging
import ParvaEngine
import ParvaServing
import ParvaWire
import Synchronization

/// How an operation is carried out: the way from what stands, then each node's parts as their turn comes.
extension PlanPusher {
  func launch(_ document: FleetOperationDocument, _ goal: RolloutGoal) {
    // Somebody may have asked for something before what a controller before this one has left goes on.
    let control = state.withLock { state in
      let control = state.controls[document.id] ?? RolloutControl()
      state.controls[document.id] = control
      return control
    }
    let task = Task { await self.carryOut(document, goal, control) }
    state.withLock { $0.tasks[document.id] = task }
  }

  /// Goes on with a roll-back that a controller before this one has left unfinished.
  func launchBack(_ document: FleetOperationDocument) {
    let task = Task { await self.rollBack(document) }
    state.withLock { $0.tasks[document.id] = task }
  }

  /// The way that an apply would go now, and what each workload would have on it; nothing is changed or kept.
  package func rehearse(
    _ plan: PublishedPlan, options: Options = Options()
  ) async throws(Refusal) -> FleetTransition {
    guard let assignments = plan.assignments, !assignments.nodes.isEmpty else { throw .noNodes }
    let goal = RolloutGoal(
      assignments, rates: plan.rates, before: state.withLock { $0.past.promised }, tenants: tenants())
    await untilHeard(of: assignments.nodes, isResumed: false)
    let terms = RolloutTerms(
      nodes: Set(assignments.nodes), maxUnavailable: options.maxUnavailable ?? settings.maxUnavailable)
    return await queue.run { [nodes] in FleetTransition(nodes.snapshot, to: goal, terms) }
  }

  /// After a start nodes speak with their next heartbeat; one that works on something speaks when it is through.
  private func untilHeard(of names: [String], isResumed: Bool) async {
    let isEarly = settings.wordTimeout > .zero && (isResumed || !nodes.haveSpoken(names))
    await nodes.untilHeard(
      of: names, within: isEarly ? max(settings.wordTimeout, nodes.patience) : settings.wordTimeout)
  }

  private func carryOut(_ document: FleetOperationDocument, _ goal: RolloutGoal, _ control: RolloutControl) async {
    let id = document.id
    let names = document.nodes.map(\.name)
    await untilHeard(of: names, isResumed: document.resumed > 0)
    let terms = RolloutTerms(nodes: Set(names), maxUnavailable: document.rollout.maxUnavailable)
    let way = await queue.run { [nodes] in FleetTransition(nodes.snapshot, to: goal, terms) }
    guard !Task.isCancelled, let firstPhase = announce(way, id) else { return }
    await endDrains(of: board[id])
    // Phases that are told are never told again with something else, not even after a crash.
    do throws(StoreError) {
      try await saving.run { await self.save() }
    } catch {
      // Logged where it happened; a node refuses what contradicts what it had.
    }
    // What is on its way back is not to wait.
    let limit = document.rollout.automatic == true && document.status != .rollingBack ? moves : nil
    let run = RolloutRun(
      revision: document.planRevision, firstPhase: firstPhase, control: control,
      tellWaits: { waits in self.board.update(id) { $0.tell(waits) } }
    ) { order in
      if let limit, await !self.mayBegin(order, id, control, limit) { return false }
      return await self.bring(order, id, control)
    }
    let (end, waiting) = await run.run(way)
    if end != .cancelled, control.wishes.rollsBack, let document = board[id] { return await rollBack(document) }
    switch end {
    case .cancelled: return
    case .complete: await finish(id)
    case .aborted: await abort(id)
    case .incomplete:
      if document.status != .rollingBack, document.rollout.onFailure == .rollback,
        document.rollout.previousRevision != nil, let document = board[id],
        document.nodes.contains(where: { $0.status.isOver && $0.status != .verified })
      {
        return await rollBack(document)
      }
      await finish(id) { document in
        document.endOpenNodes(where: { waiting.contains($0.name) }) { node in
          node.status = .failed
          (node.code, node.message) = ("blocked", "something stays here until what replaces it is up on another node")
        }
      }
    }
  }

  /// Says what is going to happen, and takes phases for it. Answers the first; nil where the operation is over.
  private func announce(_ way: FleetTransition, _ id: String) -> Int? {
    let parts = Dictionary(grouping: way.machine.parts, by: \.node).mapValues(\.count)
    let waves = way.transition.waves.count
    let expected = way.transition.waves.reduce(0) { $0 + settings.timing.seconds($1, of: way.input) }
    let shortfalls = way.transition.outlooks.filter { $0.shortfall > 0 }
      .sorted { ($0.least / $0.floor, $0.workload) < ($1.least / $1.floor, $1.workload) }
      .prefix(FleetOperationDocument.Rollout.mostShortfalls)
      .map { FleetOperationDocument.Rollout.Shortfall(workload: $0.workload, floor: $0.floor, least: $0.least) }
    let document = board.update(id) { document -> (first: Int, settled: [String], document: FleetOperationDocument) in
      var settled: [String] = []
      let first = document.rollout.phases
      document.rollout.phases += max(1, waves)
      document.rollout.waves = waves
      document.rollout.expectedSeconds = expected
      document.rollout.temporaries = way.transition.temporaries
      document.rollout.shortfalls = shortfalls.isEmpty ? nil : Array(shortfalls)
      for index in document.nodes.indices {
        let count = parts[document.nodes[index].name] ?? 0
        if count > 0 {
          document.nodes[index].status = .pending
          document.nodes[index].unchanged = nil
        } else if !document.nodes[index].status.isOver {
          document.nodes[index].status = .verified
          document.nodes[index].unchanged = true
          settled.append(document.nodes[index].name)
        }
        if count > 1 { (document.nodes[index].parts, document.nodes[index].partsDone) = (count, 0) }
      }
      return (first, settled, document)
    }
    guard let document else { return nil }
    state.withLock { state in
      state.past.note(document.document)
      state.unstored[id, default: []].formUnion(document.settled)
    }
    for shortfall in shortfalls {
      logger.warning(
        "a workload falls short on the way",
        metadata: [
          "operation": "\(id)", "workload": "\(shortfall.workload)", "floor": "\(shortfall.floor)",
          "least": "\(shortfall.least)",
        ])
    }
    return document.first
  }

  // MARK: - One part

  /// Waits until a part may make its segments; false where it is not to.
  private func mayBegin(
    _ order: RolloutRun.Order, _ id: String, _ control: RolloutControl, _ limit: MoveLimit
  ) async -> Bool {
    await limit.run(order.made, control) { pause in
      let message =
        "\(order.made) segments are to be made here, and automatic applies make \(limit.most) in a minute at most; about "
        + "\(Int(pause.seconds.rounded(.up))) s"
      self.board.update(id) { document in
        guard let index = document.nodeIndex(order.node), document.nodes[index].status == .pending else { return }
        (document.nodes[index].code, document.nodes[index].message) = (FleetOperationDocument.waits, message)
      }
    }
  }

  /// Brings a node its part, and waits for what others wait for.
  private func bring(_ order: RolloutRun.Order, _ id: String, _ control: RolloutControl) async -> Bool {
    let leaving = settings.drainTime > .zero ? nodes.node(order.node)?.leaving(for: order.wanted) ?? [] : []
    guard !leaving.isEmpty else { return await bringDrained(order, id) }
    let drain = SegmentDrain(
      traffic: traffic, time: settings.drainTime,
      settling: nodes.patience + max(settings.wordTimeout, nodes.settings.heartbeat * 2))
    guard await drain.run(leaving, control) else { return false }
    let isWell = await bringDrained(order, id)
    // What the node has done shows in what it says next; what it has not done gets requests again.
    let limit = isWell ? max(settings.wordTimeout, nodes.settings.heartbeat * 3) : .zero
    Task { [nodes, traffic] in
      await nodes.untilHeard(of: [order.node], within: limit)
      traffic.release(leaving)
    }
    return isWell
  }

  private func bringDrained(_ order: RolloutRun.Order, _ id: String) async -> Bool {
    let (node, wanted) = (order.node, order.wanted)
    // Not for an operation that has just ended: nobody would take it back.
    guard board.update(id, { [nodes] _ in nodes.expect(wanted, on: node) }) != nil else { return false }
    let isEnd = order.isLast && order.awaited.isEmpty
    let push = NodePush(
      operation: id, node: node, wanted: wanted, nodes: nodes, settings: settings, client: client, limit: limit,
      now: { [now] in Int(now().timeIntervalSince1970) },
      report: { change in await self.update(id, wanted, node, isEnd: isEnd, change) })
    guard await push.run(), !Task.isCancelled else { return false }
    if !order.awaited.isEmpty, await !nodes.untilUp(order.awaited, on: node, within: settings.servingTimeout) {
      guard !Task.isCancelled else { return false }
      await update(id, wanted, node, isEnd: true) { node in
        node.status = .failed
        (node.code, node.message) = ("not_serving", "what was made here did not come up in time; see its services")
      }
      return false
    }
    await update(id, wanted, node, isEnd: order.isLast) { node in
      node.partsDone = node.partsDone.map { $0 + 1 }
      if !isEnd { node.status = .verified }
    }
    return true
  }

  /// Changes what the operation says of a node.
  ///
  /// - Parameter isEnd: whether the node is through once it has verified this; it waits for its next turn otherwise.
  private func update(
    _ id: String, _ wanted: NodeAssignment, _ name: String, isEnd: Bool,
    _ change: @Sendable (inout FleetOperationDocument.Node) -> Void
  ) async {
    let time = Timestamp.text(now())
    let ended = board.update(id) { [events] document -> FleetOperationDocument.Node? in
      guard let index = document.nodeIndex(name) else { return nil }
      let before = document.nodes[index].status
      let wasOver = before.isOver
      change(&document.nodes[index])
      if document.nodes[index].status == .verified && !isEnd { document.nodes[index].status = .pending }
      document.updatedAt = time
      if document.nodes[index].status != before {
        events.add("operation", of: OperationNews(document, node: document.nodes[index]))
      }
      return document.nodes[index].status.isOver && !wasOver ? document.nodes[index] : nil
    }
    guard case .some(.some(let ended)) = ended else { return }
    if ended.status != .verified {
      nodes.gaveUp(wanted.revision, on: name, mayCome: ![.rolledBack, .refused].contains(ended.status))
    }
    state.withLock { _ = $0.unstored[id, default: []].insert(name) }
    saving.request { await self.save() }
    var told: Logger.Metadata = ["operation": "\(id)", "node": "\(name)", "status": "\(ended.status.rawValue)"]
    if let code = ended.code { told["code"] = "\(code)" }
    logger.log(level: ended.status == .verified ? .info : .warning, "node ended", metadata: told)
    await endDrain(of: ended)
  }

  // MARK: - The end

  func finish(
    _ id: String, _ change: @Sendable (inout FleetOperationDocument) -> Void = { _ in }
  ) async {
    state.withLock { state in
      state.tasks[id] = nil
      state.controls[id] = nil
    }
    let time = Timestamp.text(now())
    let ended = board.update(id) { document in
      let open = document.nodes.filter { !$0.status.isOver }.map(\.name)
      let wasBack = document.status == .rollingBack
      change(&document)
      document.updatedAt = time
      if !document.status.isOver {
        let isWell = document.nodes.allSatisfy { $0.status == .verified }
        document.status = isWell ? (wasBack ? .rolledBack : .verified) : .failed
        if wasBack {
          for index in document.nodes.indices where document.nodes[index].status == .verified {
            document.nodes[index].status = .rolledBack
          }
        }
      }
      return (open: open, wasBack: wasBack, document: document)
    }
    guard let ended else { return }
    let status = ended.document.status
    settings.tracer?.endKept(
      "operation/\(id)",
      [
        ("parva.operation", .text(id)), ("parva.plan_revision", .number(ended.document.planRevision)),
        ("parva.nodes", .number(ended.document.nodes.count)), ("parva.status", .text(status.rawValue)),
      ], error: status == .failed ? "it failed on some node" : nil)
    for name in ended.open { nodes.gaveUp(ended.document.planRevision, on: name, mayCome: true) }
    state.withLock { state in
      let names = ended.wasBack ? ended.document.nodes.map(\.name) : ended.open
      state.unstored[id, default: []].formUnion(names)
      state.past.note(ended.document)
    }
    do throws(StoreError) {
      try await saving.run { await self.save() }
    } catch {
      // Logged where it happened; after a restart the nodes are asked again.
    }
    logger.notice("operation ended", metadata: ["operation": "\(id)", "status": "\(ended.document.status.rawValue)"])
  }

  /// Ends an operation where it is.
  func abort(_ id: String) async {
    await finish(id) { document in
      document.status = .aborted
      document.endOpenNodes { $0.status = .aborted }
    }
  }

  /// Brings every node of the operation back to what the plan before it wants.
  func rollBack(_ document: FleetOperationDocument) async {
    let id = document.id
    var back: NodeAssignments?
    if let revision = document.rollout.previousRevision { back = await assignments(of: revision) }
    guard let back else {
      await finish(id) { $0.status = .failed }
      return
    }
    logger.notice(
      "rolling back",
      metadata: ["operation": "\(id)", "to": "\(document.rollout.previousRevision ?? 0)"])
    let begun = board.update(id) { document in
      document.status = .rollingBack
      document.rollout.ending = .rollback
      for index in document.nodes.indices {
        let name = document.nodes[index].name
        document.nodes[index].status = .pending
        document.nodes[index].instances = (back.gpus[name] ?? []).reduce(0) { $0 + $1.instances.count }
        (document.nodes[index].parts, document.nodes[index].partsDone) = (nil, nil)
        document.nodes[index].unchanged = nil
      }
      return document
    }
    guard let begun else { return }
    // Somebody may have asked for an abort meanwhile: it is the later word.
    let control = state.withLock { $0.controls[id] } ?? RolloutControl()
    control.change { ($0.isPaused, $0.rollsBack) = (false, false) }
    await carryOut(begun, RolloutGoal(back, tenants: tenants()), control)
  }
}

extension FleetOperationDocument {
  /// Changes those nodes that have not ended.
  mutating func endOpenNodes(where isMeant: (Node) -> Bool = { _ in true }, _ change: (inout Node) -> Void) {
    for index in nodes.indices where !nodes[index].status.isOver && isMeant(nodes[index]) {
      if nodes[index].code == Self.waits { (nodes[index].code, nodes[index].message) = (nil, nil) }
      change(&nodes[index])
    }
  }

  /// Says of nodes whose turn has not come what they wait for.
  mutating func tell(_ waits: [String: String]) {
    for index in nodes.indices where nodes[index].status == .pending {
      if let message = waits[nodes[index].name] {
        (nodes[index].code, nodes[index].message) = (Self.waits, message)
      } else if nodes[index].code == Self.waits {
        (nodes[index].code, nodes[index].message) = (nil, nil)
      }
    }
  }

  /// Code of a node whose turn has not come.
  static let waits = "waits"
}
