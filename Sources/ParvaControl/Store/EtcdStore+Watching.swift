import Foundation
import ParvaServing
import Synchronization

/// Hearing of what is new when it comes. The log is read all the same, if seldom: a stream says nothing of what it has not
/// brought, and how old a copy is, a read of its own alone can tell.
extension EtcdStore {
  /// How long the log may have what the stream has not brought, before another is begun.
  private static let mostLate = Duration.seconds(2)

  /// Listens from where the copy is whole until the stream ends, or this replica leads: then all that comes is its own.
  func watchOnce() async {
    let begun = ContinuousClock.now
    let from = state.withLock { $0.isCampaigning || $0.isClosed ? nil : $0.watchFrom }
    if let from {
      let lines = EtcdWatch.Lines()
      // The leader's key and the log stand beside each other.
      let body = EtcdClient.watch(keys.leader, to: keys.afterEntries, from: from)
      let streaming = Task { [client] in
        try? await client.stream("/v3/watch", body) { lines.add($0) }
        lines.end()
      }
      state.withLock { ($0.watching, $0.isListening, $0.watchLate) = (streaming, false, .now) }
      for await line in lines.stream {
        let goesOn = await take(EtcdWatch(line))
        lines.taken(line)
        if !goesOn || state.withLock({ $0.isCampaigning || $0.isClosed }) { break }
      }
      streaming.cancel()
      state.withLock { ($0.watching, $0.isListening, $0.watchLate) = (nil, false, nil) }
      bell.continuation.yield()
      await streaming.value
    }
    // Neither a member that takes no streams nor one that is away is asked without rest.
    let isShort = begun.duration(to: .now) < .seconds(1)
    try? await Task.sleep(for: .milliseconds(isShort ? 500 : 10))
  }

  /// Whether the stream goes on.
  private func take(_ word: EtcdWatch?) async -> Bool {
    guard let result = word?.result, result.canceled != true, word?.error == nil else {
      let reason = word?.result?.cancelReason ?? word?.error?.message ?? ""
      client.renewWhereStale(reason)
      // What is forgotten, or cannot be read, is read from the log; the stream begins anew behind it.
      state.withLock { $0.watchFrom = nil }
      return false
    }
    state.withLock { state in
      state.watchLate = nil
      if result.created == true { state.isListening = true }
    }
    for event in result.events ?? [] {
      guard let revision = event.revision else { return false }
      let key = event.kv.key
      if key == Data(keys.leader.utf8) {
        noteLeader(event.isDelete ? nil : event.kv, revision)
      } else if !event.isDelete, let place = keys.position(ofEntry: key), place > position {
        // Something between is missing here: it is read from the log.
        guard place == position + 1 else { return false }
        do {
          try await take(event.kv.value, at: place)
        } catch {
          // So is what cannot be taken, which then tells why.
          return false
        }
      }
      state.withLock { state in
        state.revision = max(state.revision, revision)
        if state.watchFrom != nil { state.watchFrom = max(state.watchFrom ?? 0, revision + 1) }
      }
    }
    return true
  }

  /// One that owes something for long has come to a standstill.
  ///
  /// - Parameter owes: whether the log has what no stream has brought.
  func noteLate(owes: Bool) {
    let standing = state.withLock { state -> Task<Void, Never>? in
      guard let watching = state.watching, owes || state.watchLate != nil else { return nil }
      let since = state.watchLate ?? .now
      state.watchLate = since
      return since.duration(to: .now) > Self.mostLate ? watching : nil
    }
    standing?.cancel()
  }
}
