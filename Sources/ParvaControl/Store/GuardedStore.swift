import Logging
package import ParvaServing
import Synchronization

/// A store that goes out of the way of its own trouble: after a write that failed it only reads, until it has seen that
/// writing works again.
///
/// Every change of state is logged once, however many requests are refused meanwhile.
package final class GuardedStore: ReadingStore {
  private struct Trouble {
    let error: StoreError
    let since: ContinuousClock.Instant
  }

  /// What has become of commits since this process began.
  package struct Totals: Sendable {
    /// Seconds from a batch to the disk, of those that got there.
    package var durations = Histogram(bounds: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5])
    /// Batches that were not stored, by code; those that were refused untried count, too.
    package var failures: [StoreError.Code: Int] = [:]
  }

  private let store: any Store
  package var source: any Store { store }
  private let logger: Logger
  private let onRecovery: @Sendable () -> Void
  private let completing: Completion
  private let state = Mutex<Trouble?>(nil)
  private let counted = Mutex(Totals())

  /// Adds to a batch what belongs to it; what it answers is called when the batch is on disk.
  typealias Completion = @Sendable (inout StoreBatch) -> (@Sendable () -> Void)?

  /// - Parameters:
  ///   - completing: called for every batch before it is stored.
  ///   - onRecovery: called when writing works again.
  init(
    _ store: any Store, logger: Logger, completing: @escaping Completion = { _ in nil },
    onRecovery: @escaping @Sendable () -> Void
  ) {
    self.completing = completing
    self.store = store
    self.logger = logger
    self.onRecovery = onRecovery
  }

  /// Why the store only reads; nil while it writes.
  package var trouble: StoreError? { state.withLock { $0?.error } }

  package var totals: Totals { counted.withLock { $0 } }

  package var sizeBytes: Int? { store.sizeBytes }

  package func commit(_ batch: StoreBatch) async throws(StoreError) {
    // Whoever forgets to ask whether a request is a dry run stores nothing all the same.
    if AuditDraft.current?.isDryRun == true { throw .dryRun }
    if let trouble {
      counted.withLock { $0.failures[trouble.code, default: 0] += 1 }
      throw trouble
    }
    let started = ContinuousClock.now
    var batch = batch
    let committed = completing(&batch)
    do {
      try await store.commit(batch)
    } catch {
      counted.withLock { $0.failures[error.code, default: 0] += 1 }
      begin(error)
      throw error
    }
    let elapsed = started.duration(to: .now)
    counted.withLock { $0.durations.add(elapsed.seconds) }
    committed?()
  }

  /// Sees whether the store takes writes: at the start, since else the first change would be the first to know.
  func check() async {
    do {
      try await store.probe()
    } catch {
      begin(error)
    }
  }

  /// Where there is trouble, sees whether it is over.
  package func recover() async {
    guard trouble != nil else { return }
    do {
      try await store.probe()
    } catch {
      begin(error)
      return
    }
    let ended = state.withLock { state in
      defer { state = nil }
      return state
    }
    guard let ended else { return }
    logger.notice(
      "the store takes writes again",
      metadata: [
        "code": "\(ended.error.code.rawValue)", "seconds": "\(ended.since.duration(to: .now).components.seconds)",
      ])
    onRecovery()
  }

  /// Trouble of another kind in the middle of trouble is news, too.
  private func begin(_ error: StoreError) {
    // What is refused untried meanwhile is surely not done.
    let error = error.code == .outcomeUnknown ? StoreError(.unavailable, error.message) : error
    let isNews = state.withLock { state in
      guard state?.error.code != error.code else { return false }
      state = Trouble(error: error, since: state?.since ?? .now)
      return true
    }
    guard isNews else { return }
    logger.error(
      "the store takes no writes; changes are refused until it does",
      metadata: ["code": "\(error.code.rawValue)", "error": "\(error)"])
  }

  package func probe() async throws(StoreError) { try await store.probe() }

  package func close() async throws(StoreError) { try await store.close() }
}
