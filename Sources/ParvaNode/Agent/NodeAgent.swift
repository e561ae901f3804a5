import Foundation
package import Logging
package import ParvaWire
import Synchronization

/// The agent of one node: takes plan revisions, applies them one after the other, keeps the last verified one standing.
package final class NodeAgent: Sendable {
  package struct Configuration: Sendable {
    package var name: String
    package var options = ApplyPlanner.Options()
    /// Between two looks whether the GPUs still are as verified.
    package var reconcileInterval = Duration.seconds(60)
    /// Called after every operation.
    package var onOperationEnd: @Sendable () -> Void = {}

    package init(name: String, options: ApplyPlanner.Options = ApplyPlanner.Options()) {
      self.name = name
      self.options = options
    }
  }

  struct State {
    var operations: [NodeOperationDocument] = []
    var running: String?
    /// Waits for the running operation to end; a newer revision takes its place.
    var pending: (id: String, wanted: WantedNode)?
    /// The newest revision that was accepted.
    var latest: WantedNode?
    var serial = 0
    var outcomes: [NodeOperationDocument.Status: Int] = [:]
    /// Ticks left before the next attempt to restore, and what it will be after a further failure.
    var restoreDelay = 0
    var restoreBackoff = 1
  }

  /// Operations kept for asking.
  static let operationsKept = 64

  let configuration: Configuration
  let driver: any GPUDriver
  let store: NodeStore
  let services: any InstanceServices
  let reader: StateReader
  let faults: FaultWatch
  let logger: Logger
  let state = Mutex(State())
  /// All changes to GPUs and services happen here, one at a time.
  let queue = DispatchQueue(label: "parva.node.apply")
  /// Known from the first reading on; an operation carries it.
  let simulated: Bool
  /// Makes the ids of this run's operations differ from an earlier run's.
  let runID: String

  package init(
    configuration: Configuration, driver: any GPUDriver, store: NodeStore,
    services: any InstanceServices = NoServices(), simulated: Bool, logger: Logger = Logger(label: "parva.node")
  ) {
    self.configuration = configuration
    self.driver = driver
    self.store = store
    self.services = services
    self.simulated = simulated
    self.logger = logger
    reader = StateReader(driver: driver)
    faults = FaultWatch(driver: driver, logger: logger)
    runID = String(UUID().uuidString.prefix(8)).lowercased()
  }

  /// Ends what a crash left unfinished and restores the last verified plan where the GPUs differ from it.
  ///
  /// Returns when that is done, whether or not it succeeded; reconciling goes on.
  package func start() async throws {
    faults.start()
    try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
      queue.async { [self] in
        do {
          try begin()
          done.resume()
        } catch {
          done.resume(throwing: error)
        }
      }
    }
  }

  private func begin() throws {
    if let left = UnfinishedApply(try store.journal.records()) {
      let id = open(kind: "resume", revision: left.begin.wanted.revision)
      logger.notice("an apply was interrupted", metadata: ["revision": "\(left.begin.wanted.revision)"])
      perform(id) { runner, progress throws(ApplyJournal.Failure) in
        try runner.resume(options: options(), release: services.release(exceptFor:), progress: progress)
      }
    }
    state.withLock { $0.latest = $0.latest ?? (try? store.verified())?.wanted }
    restoreIfNeeded()
    settleServices()
  }

  /// Looks after everything until the task is cancelled: services every second, GPUs at the configured interval.
  package func reconcileUntilCancelled() async {
    var sinceLook = Duration.zero
    while !Task.isCancelled {
      try? await Task.sleep(for: .seconds(1))
      sinceLook += .seconds(1)
      let look = sinceLook >= configuration.reconcileInterval
      if look { sinceLook = .zero }
      await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
        queue.async { [self] in
          services.tick()
          if look { restoreIfNeeded() }
          done.resume()
        }
      }
    }
  }

  /// Returns when everything that was accepted so far has ended.
  package func settled() async {
    await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in queue.async { done.resume() } }
  }

  /// What an operation looks like now.
  package func operation(_ id: String) -> NodeOperationDocument? {
    state.withLock { $0.operations.first { $0.id == id } }
  }

  /// What the node shows and owns at one moment. While an operation runs the two do not fit together, and it is named.
  package func document() async throws -> NodeStateDocument {
    func mark() -> (running: String?, ended: Int) {
      state.withLock { ($0.running, $0.outcomes.values.reduce(0, +)) }
    }
    var before = mark()
    var observed = try await reader.observe()
    var verified = try store.verified()
    var after = mark()
    // An operation that ended meanwhile has left a reading from before beside records from after it.
    for _ in 0..<8 where before.ended != after.ended {
      before = after
      observed = try await reader.observe()
      verified = try store.verified()
      after = mark()
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
        VerifiedDocument(revision: $0.wanted.revision, degraded: $0.degraded?.description)
      },
      owned: (verified?.holdings.owned ?? []).filter { answering.contains($0.gpu) }.map(OwnedDocument.init),
      lost: lost.isEmpty ? nil : lost, services: services.documents, faults: faults.documents,
      operation: before.running ?? after.running,
      managesMIGMode: configuration.options.manageMIGMode)
  }
}
