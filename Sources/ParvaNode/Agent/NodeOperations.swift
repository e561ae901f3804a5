import Foundation
import ParvaServing
import ParvaWire
import Synchronization

/// What a node was asked to do and what came of it: the last operations, and the assignment that waits for the running one
/// to end.
final class NodeOperations: Sendable {
  private struct State {
    var documents: [NodeOperationDocument] = []
    var running: String?
    /// Waits for the running operation to end; a newer revision takes its place.
    var pending: (id: String, wanted: NodeAssignment)?
    /// The newest that was accepted.
    var latest: NodeAssignment?
    /// The latest term of a leading controller that was seen; 0 before the first.
    var term = 0
    var serial = 0
    var outcomes: [NodeOperationDocument.Status: Int] = [:]
    var began: ContinuousClock.Instant?
    var durations = Histogram(bounds: [0.1, 0.5, 1, 5, 15, 60, 300])

    mutating func open(_ kind: String, _ version: AssignmentVersion, runID: String, simulated: Bool)
      -> NodeOperationDocument
    {
      serial += 1
      let document = NodeOperationDocument(
        id: "\(runID)-\(serial)", kind: kind, revision: version.revision,
        phase: version.phase == 0 ? nil : version.phase,
        status: .queued, simulated: simulated)
      documents.append(document)
      if documents.count > NodeOperations.kept { documents.removeFirst() }
      return document
    }

    mutating func update(_ id: String, _ change: (inout NodeOperationDocument) -> Void) {
      if let index = documents.firstIndex(where: { $0.id == id }) { change(&documents[index]) }
    }
  }

  /// Operations kept for asking.
  private static let kept = 64

  private let simulated: Bool
  /// Makes the ids of this run's operations differ from an earlier run's.
  private let runID = String(UUID().uuidString.prefix(8)).lowercased()
  private let state = Mutex(State())

  init(simulated: Bool) { self.simulated = simulated }

  func document(_ id: String) -> NodeOperationDocument? {
    state.withLock { $0.documents.first { $0.id == id } }
  }

  /// Id of the operation that runs now, and how many have ended.
  var mark: (running: String?, ended: Int) {
    state.withLock { ($0.running, $0.outcomes.values.reduce(0, +)) }
  }

  var outcomes: [NodeOperationDocument.Status: Int] { state.withLock(\.outcomes) }

  /// Seconds from the beginning of operations to their end.
  var durations: Histogram { state.withLock(\.durations) }

  // MARK: - Accepting

  /// The operation that carries `wanted` out, and whether it is new: the same revision again has the operation that it
  /// has, unless that ended without success or its state is gone.
  ///
  /// - Parameters:
  ///   - term: of the controller that sends it. One that is before another that was seen is refused, whatever the revision:
  ///     another controller leads.
  ///   - isDegraded: whether the GPUs are known to differ from what was verified last.
  ///   - keeping: keeps a later term than the one before on disk; where that fails, nothing is accepted.
  func accept(
    _ wanted: NodeAssignment, term: Int = 0, isDegraded: Bool = false,
    keeping: (_ term: Int) throws(ApplyJournal.Failure) -> Void = { _ in }
  ) throws(NodeAgent.Refusal) -> (document: NodeOperationDocument, isNew: Bool) {
    let accepted: Result<(document: NodeOperationDocument, isNew: Bool), NodeAgent.Refusal> = state.withLock { state in
      if term < state.term { return .failure(.superseded(latest: state.term)) }
      if term > state.term {
        do throws(ApplyJournal.Failure) {
          try keeping(term)
        } catch {
          return .failure(.unkept(error))
        }
        state.term = term
      }
      if let latest = state.latest {
        if let refusal = wanted.refusal(after: latest) { return .failure(refusal) }
        if wanted.version == latest.version {
          if let there = state.documents.last(where: { $0.version == wanted.version && $0.kind == "apply" }),
            there.status == .verified && !isDegraded || !there.status.isOver
          {
            return .success((there, false))
          }
        }
      }
      state.latest = wanted
      let document = state.open("apply", wanted.version, runID: runID, simulated: simulated)
      if let replaced = state.pending { state.update(replaced.id) { $0.status = .superseded } }
      state.pending = (document.id, wanted)
      return .success((document, true))
    }
    return try accepted.get()
  }

  /// What an earlier run accepted last, unless this one has accepted something, and the latest term that it has seen.
  func recall(_ wanted: NodeAssignment?, term: Int = 0) {
    state.withLock { ($0.latest, $0.term) = ($0.latest ?? wanted, max($0.term, term)) }
  }

  /// The latest term that was seen; nil before the first.
  var latestTerm: Int? { state.withLock { $0.term > 0 ? $0.term : nil } }

  /// The newest revision that was accepted.
  var latestRevision: Int? { state.withLock { $0.latest?.revision } }

  var hasPending: Bool { state.withLock { $0.pending != nil } }

  func takePending() -> (id: String, wanted: NodeAssignment)? {
    state.withLock { state in
      defer { state.pending = nil }
      return state.pending
    }
  }

  /// Opens an operation that nobody has sent.
  func open(_ kind: String, _ version: AssignmentVersion) -> String {
    state.withLock { $0.open(kind, version, runID: runID, simulated: simulated).id }
  }

  // MARK: - Carrying out

  func begin(_ id: String) {
    state.withLock { state in
      state.running = id
      state.began = .now
      state.update(id) { $0.status = .running }
    }
  }

  func advance(_ id: String, _ progress: ApplyRunner.Progress) {
    state.withLock { state in
      state.update(id) { operation in
        operation.steps = progress.steps.enumerated().map { index, step in
          NodeOperationDocument.Step(gpu: step.gpu, description: step.description, done: index < progress.completed)
        }
        operation.failure = progress.failure.map(Self.failure)
      }
    }
  }

  /// A nil outcome is that of an operation with nothing to do.
  func end(_ id: String, _ result: Result<ApplyOutcome?, ApplyJournal.Failure>) {
    state.withLock { state in
      state.running = nil
      var status = NodeOperationDocument.Status.failed
      state.update(id) { operation in
        switch result {
        case .success(nil): operation.status = .verified
        case .success(.verified(_, let lost)):
          operation.status = .verified
          if !lost.isEmpty { operation.lost = lost.map(LostDocument.init) }
        case .success(.refused(let problems)):
          operation.status = .refused
          operation.problems = problems.map {
            NodeOperationDocument.Problem(
              code: $0.code.rawValue, gpu: $0.gpu, message: $0.message, pid: $0.pid, process: $0.process)
          }
        case .success(.rolledBack(let failure, _)):
          operation.status = .rolledBack
          operation.failure = Self.failure(failure)
        case .success(.stuck(let failure, let rollback, _)):
          operation.status = .stuck
          operation.failure = Self.failure(failure)
          operation.failure?.detail += "; and on the way back: \(rollback)"
        case .failure(let failure):
          operation.status = .failed
          operation.failure = NodeOperationDocument.Failure(code: failure.code, detail: "\(failure)")
        }
        status = operation.status
      }
      state.outcomes[status, default: 0] += 1
      if let began = state.began { state.durations.add(began.duration(to: .now).seconds) }
    }
  }

  private static func failure(_ failure: ApplyFailure) -> NodeOperationDocument.Failure {
    NodeOperationDocument.Failure(code: failure.code, detail: failure.detail, step: failure.step?.description)
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
