import ParvaEngine
import ParvaFormats
import Synchronization

/// What planning processes have found out about capacities: the next process is told of it, and the store keeps it, so that neither
/// a process nor a controller works it out again. It only ever saves time.
final class CapacityLedger: Sendable {
  private struct State {
    /// In the order in which they were found.
    var known: CapacityChanges
    var unsaved = CapacityChanges()
  }

  private let state: Mutex<State>

  /// - Parameter facts: what the store has, oldest first.
  init(_ facts: [CapacityFacts] = []) { state = Mutex(State(known: CapacityChanges(facts: facts))) }

  var facts: [CapacityFacts] { state.withLock(\.known.facts) }

  /// O(facts).
  func take(_ changes: CapacityChanges) {
    guard !changes.isEmpty else { return }
    state.withLock { state in
      state.known = CapacityChanges(facts: state.known.followed(by: changes).newest)
      state.unsaved = state.unsaved.followed(by: changes)
      state.unsaved.facts = state.unsaved.newest
    }
  }

  /// Stores what was found since the last call; what cannot be stored now is tried again by the next one. One call at a time.
  func keep(in store: any Store) async throws(StoreError) {
    let unsaved = state.withLock { state in
      defer { state.unsaved = CapacityChanges() }
      return state.unsaved
    }
    guard !unsaved.isEmpty else { return }
    var batch = StoreBatch()
    batch.capacities = unsaved
    do throws(StoreError) {
      try await store.commit(batch)
    } catch {
      state.withLock { $0.unsaved = unsaved.followed(by: $0.unsaved) }
      throw error
    }
  }
}

extension CapacityChanges {
  /// The newest facts, as many as are kept. O(facts).
  fileprivate var newest: [CapacityFacts] {
    var room = Self.mostBytes
    let first = facts.indices.reversed().first { index in
      room -= CapacityFile.size(facts[index])
      return room < 0
    }
    return first.map { Array(facts[($0 + 1)...]) } ?? facts
  }
}
