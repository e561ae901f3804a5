import Foundation
import Logging
import ParvaHTTP
package import ParvaWire
import Synchronization

/// Taking and carrying out plan revisions.
extension NodeAgent {
  package enum Refusal: Error, Hashable, Sendable {
    /// An older revision than the newest that was accepted.
    case stale(latest: Int)
    /// The same revision with other contents.
    case conflict
  }

  /// Accepts a revision and answers the operation that carries it out.
  ///
  /// The same revision again answers the operation that it has, unless that ended without success: then it is tried
  /// anew. Returns before anything is changed.
  package func submit(_ wanted: WantedNode) throws(Refusal) -> NodeOperationDocument {
    let accepted: Result<(document: NodeOperationDocument, isNew: Bool), Refusal> = state.withLock { state in
      if let latest = state.latest {
        if wanted.revision < latest.revision { return .failure(.stale(latest: latest.revision)) }
        if wanted.revision == latest.revision {
          if wanted != latest { return .failure(.conflict) }
          if let there = state.operations.last(where: { $0.revision == wanted.revision && $0.kind == "apply" }),
            there.status == .verified || !there.status.isOver
          {
            return .success((there, false))
          }
        }
      }
      state.latest = wanted
      let document = newOperation(&state, kind: "apply", revision: wanted.revision)
      if let replaced = state.pending { update(&state, replaced.id) { $0.status = .superseded } }
      state.pending = (document.id, wanted)
      return .success((document, true))
    }
    let (document, isNew) = try accepted.get()
    if isNew { queue.async { self.performPending() } }
    return document
  }

  private func performPending() {
    guard
      let (id, wanted) = state.withLock({ state in
        defer { state.pending = nil }
        return state.pending
      })
    else { return }
    apply(wanted, as: id, options())
    state.withLock {
      $0.restoreDelay = 0
      $0.restoreBackoff = 1
    }
  }

  private func apply(_ wanted: WantedNode, as id: String, _ options: ApplyPlanner.Options) {
    perform(id) { runner, progress throws(ApplyJournal.Failure) in
      try runner.apply(wanted, options: options, release: services.release(exceptFor:), progress: progress)
    }
    // Nothing was released for what was refused.
    if operation(id)?.status != .refused { settleServices() }
  }

  /// The options of an apply now: what runs and is ours is no obstacle, since it is ended first.
  func options(leavingLost: Bool = false) -> ApplyPlanner.Options {
    var options = configuration.options
    options.drainable = services.pids
    options.leavesLost = leavingLost
    return options
  }

  /// Makes the services fit what is verified now.
  func settleServices() {
    guard let verified = try? store.verified() else { return }
    services.release(exceptFor: verified.wanted)
    services.run(verified.wanted, on: verified.holdings.owned)
  }

  /// Runs one apply on the caller's thread, which is the queue's, and keeps its operation up to date.
  func perform(
    _ id: String,
    _ body: (ApplyRunner, (ApplyRunner.Progress) -> Void) throws(ApplyJournal.Failure) -> ApplyOutcome?
  ) {
    state.withLock { state in
      state.running = id
      update(&state, id) { $0.status = .running }
    }
    do throws(ApplyJournal.Failure) {
      let outcome = try body(ApplyRunner(driver: driver, store: store)) { progress in
        state.withLock { state in
          update(&state, id) { operation in
            operation.steps = progress.steps.enumerated().map { index, step in
              NodeOperationDocument.Step(
                gpu: step.gpu, description: step.description, done: index < progress.completed)
            }
            operation.failure = progress.failure.map(Self.document)
          }
        }
      }
      close(id, outcome)
    } catch {
      logger.error("the node's own records cannot be kept", metadata: ["error": "\(error)"])
      state.withLock { state in
        state.running = nil
        state.outcomes[.failed, default: 0] += 1
        update(&state, id) {
          $0.status = .failed
          $0.failure = NodeOperationDocument.Failure(code: "journal_failed", detail: "\(error)")
        }
      }
    }
  }

  private static func document(_ failure: ApplyFailure) -> NodeOperationDocument.Failure {
    NodeOperationDocument.Failure(code: failure.code, detail: failure.detail, step: failure.step?.description)
  }

  private func close(_ id: String, _ outcome: ApplyOutcome?) {
    state.withLock { state in
      state.running = nil
      update(&state, id) { operation in
        switch outcome {
        case .verified(_, let lost):
          operation.status = .verified
          if !lost.isEmpty { operation.lost = lost.map(LostDocument.init) }
        case nil:
          operation.status = .verified
        case .refused(let problems):
          operation.status = .refused
          operation.problems = problems.map {
            NodeOperationDocument.Problem(
              code: $0.code.rawValue, gpu: $0.gpu, message: $0.message, pid: $0.pid, process: $0.process)
          }
        case .rolledBack(let failure, _):
          operation.status = .rolledBack
          operation.failure = Self.document(failure)
        case .stuck(let failure, let rollback, _):
          operation.status = .stuck
          operation.failure = Self.document(failure)
          operation.failure?.detail += "; and on the way back: \(rollback)"
        }
      }
      if let status = state.operations.first(where: { $0.id == id })?.status {
        state.outcomes[status, default: 0] += 1
      }
    }
    configuration.onOperationEnd()
    let operation = operation(id)
    logger.notice(
      "apply ended",
      metadata: [
        "operation": "\(id)", "revision": "\(operation?.revision ?? 0)",
        "status": "\(operation?.status.rawValue ?? "")", "simulated": "\(simulated)",
      ])
  }

  /// Opens an operation that is not a submitted revision.
  func open(kind: String, revision: Int) -> String {
    state.withLock { newOperation(&$0, kind: kind, revision: revision).id }
  }

  private func newOperation(_ state: inout State, kind: String, revision: Int) -> NodeOperationDocument {
    state.serial += 1
    let document = NodeOperationDocument(
      id: "\(runID)-\(state.serial)", kind: kind, revision: revision, status: .queued, simulated: simulated)
    state.operations.append(document)
    if state.operations.count > Self.operationsKept { state.operations.removeFirst() }
    return document
  }

  private func update(_ state: inout State, _ id: String, _ body: (inout NodeOperationDocument) -> Void) {
    if let index = state.operations.firstIndex(where: { $0.id == id }) { body(&state.operations[index]) }
  }

  /// Applies the last verified plan again where the GPUs have come to differ, as after a reboot.
  ///
  /// After a failure the next tries wait 1, 2, 4, ... up to 32 looks.
  func restoreIfNeeded() {
    let skip = state.withLock { state in
      if state.pending != nil { return true }
      if state.restoreDelay > 0 {
        state.restoreDelay -= 1
        return true
      }
      return false
    }
    guard !skip, let verified = try? store.verified() else { return }
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
      metadata: ["revision": "\(verified.wanted.revision)", "steps": "\(plan?.steps.count ?? -1)"])
    let id = open(kind: "restore", revision: verified.wanted.revision)
    apply(verified.wanted, as: id, options)
    let restored = operation(id)?.status == .verified
    state.withLock { state in
      state.restoreDelay = restored ? 0 : state.restoreBackoff
      state.restoreBackoff = restored ? 1 : min(32, state.restoreBackoff * 2)
    }
  }
}

extension OwnedDocument {
  init(_ owned: OwnedInstance) {
    self.init(
      gpu: owned.gpu, profileId: owned.place.profileID, start: owned.place.start, instance: owned.instance,
      uuid: owned.uuid)
  }
}

extension LostDocument {
  init(_ lost: LostGPU) {
    self.init(gpu: lost.gpu, code: lost.code, instances: lost.owned.map(OwnedDocument.init))
  }
}
