package import Foundation
import Synchronization

/// The audit beside the changes that it tells of: requests that changed nothing, what is forgotten, and how it is read.
///
/// Rows of changes come with the changes (``AuditDraft``). All others are gathered and stored about a second later.
package final class AuditLog: Sendable {
  private struct State {
    var waiting: [AuditEntry] = []
    /// Rows that found no room among those that wait.
    var dropped = 0
    /// Newest row when some were forgotten last, and when that was.
    var forgotten = (number: 0, at: Date.distantPast)
  }

  /// Most rows that wait for the store.
  static let mostWaiting = 10_000

  private let store: any Store
  private let retention: AuditRetention
  private let now: @Sendable () -> Date
  private let state = Mutex(State())
  private let saving = SharedRun<StoreError>()

  package init(store: any Store, retention: AuditRetention, now: @escaping @Sendable () -> Date) {
    self.store = store
    self.retention = retention
    self.now = now
  }

  /// Takes a row to be stored soon.
  package func note(_ entry: AuditEntry) {
    state.withLock { state in
      if state.waiting.count < Self.mostWaiting { state.waiting.append(entry) } else { state.dropped += 1 }
    }
  }

  /// Rows that were lost because the store did not take them for long.
  package var dropped: Int { state.withLock(\.dropped) }

  /// Stores what waits and forgets what is too old or too much; called about once a second. On disk when it returns.
  package func keep() async throws(StoreError) { try await saving.run { await self.save() } }

  private func save() async -> StoreError? {
    let waiting = state.withLock { state in
      defer { state.waiting = [] }
      return state.waiting
    }
    var batch = StoreBatch()
    batch.audit = waiting
    do throws(StoreError) {
      let newest = try await store.audit(AuditFilter(), .before(nil), limit: 1).first?.number ?? 0
      let time = now()
      let forgotten = state.withLock(\.forgotten)
      // Often enough that what is over the bound is little, and forgetting it holds up nobody.
      if newest - forgotten.number > max(1, retention.count / 20) || abs(time.timeIntervalSince(forgotten.at)) >= 60 {
        batch.keptAudit = (retention, time)
      }
      if !batch.isEmpty { try await store.commit(batch) }
      if batch.keptAudit != nil { state.withLock { $0.forgotten = (newest, time) } }
      return nil
    } catch {
      state.withLock { state in
        let room = Self.mostWaiting - state.waiting.count
        state.dropped += max(0, waiting.count - room)
        state.waiting.insert(contentsOf: waiting.prefix(max(0, room)), at: 0)
      }
      return error
    }
  }

  /// Rows that answer a filter, those that wait included.
  package func entries(
    _ filter: AuditFilter, _ page: AuditPage, limit: Int
  ) async throws(StoreError) -> [AuditEntry] {
    if state.withLock({ !$0.waiting.isEmpty }) {
      do throws(StoreError) {
        try await keep()
      } catch {
        // What can be read is told all the same.
      }
    }
    return try await store.audit(filter, page, limit: limit)
  }
}
