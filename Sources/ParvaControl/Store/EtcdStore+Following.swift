import Foundation
import ParvaHTTP
import ParvaServing
import Synchronization

/// Reading the log.
extension EtcdStore {
  /// How often a replica asks for what is new when nobody rings.
  static let interval = Duration.milliseconds(40)

  /// Asks again and again until the store is closed.
  func follow() async {
    let ticker = Task { [bell] in
      while !Task.isCancelled {
        bell.continuation.yield()
        try? await Task.sleep(for: Self.interval)
      }
    }
    defer { ticker.cancel() }
    for await _ in bell.stream {
      // A leader has written itself what is new; it only asks whether etcd is there.
      let isRecent = state.withLock { state in
        state.isCampaigning && state.freshAt.map { $0.duration(to: .now) < .milliseconds(250) } ?? false
      }
      if isRecent { continue }
      do {
        while try await !catchUp() {}
      } catch {
        if state.withLock(\.isClosed) { return }
        note(error)
        try? await Task.sleep(for: .milliseconds(50))
      }
    }
  }

  /// A replica that has heard nothing for long takes no writes; a single request that failed says little.
  private func note(_ error: StoreError) {
    state.withLock { state in
      let age = state.freshAt.map { $0.duration(to: .now) } ?? .seconds(60)
      if error.code != .unavailable || age > .seconds(1) { state.trouble = error }
    }
  }

  /// Reads what the log has after the copy's position; whether that was all of it.
  func catchUp() async throws(StoreError) -> Bool {
    let begun = ContinuousClock.now
    let position = position
    let limit = state.withLock(\.pageLimit)
    let answer: (revision: Int, rows: [EtcdClient.Range])
    do throws(EtcdClient.Failure) {
      answer = try await client.read([
        EtcdClient.range(keys.leader), EtcdClient.range(keys.snapshot), EtcdClient.count(keys.entry(position)),
        EtcdClient.range(keys.entry(position + 1), to: keys.afterEntries, limit: limit),
      ])
      state.withLock { $0.pageLimit = min(64, limit * 2) }
    } catch {
      state.withLock { $0.pageLimit = max(1, limit / 4) }
      throw StoreError(error)
    }
    noteLeader(answer.rows[0].first)
    let rows = answer.rows[3].kvs ?? []
    let first = rows.first.flatMap { keys.position(ofEntry: $0.key) }
    let pointer = answer.rows[1].first
    let snapshotAt = try pointer.map { pointer throws(StoreError) in
      try EtcdEntry(pointer.value, "The pointer to the snapshot").position
    }
    // Where etcd was put back to what it held earlier, or emptied, what comes next does not fit to this copy.
    guard position == 0 || answer.rows[2].count != nil || snapshotAt ?? 0 >= position else {
      throw StoreError(
        .corrupt,
        "Entry \(position) of the store's log in etcd, which this replica has read, is gone: etcd holds less than it did. "
          + "Stop all controllers on it, and start them again.")
    }
    if let pointer {
      let snapshot = try EtcdEntry(pointer.value, "The pointer to the snapshot")
      noteSnapshot(snapshot, position)
      if first != position + 1, snapshot.position > position {
        let bytes = try await parts("snap", snapshot.position, snapshot)
        let file = try await packing.run { () throws(StoreError) in
          guard let file = Gzip.expand(bytes, limit: Self.mostFileBytes) else {
            throw StoreError(
              .corrupt, "The snapshot of the store in etcd cannot be read: its bytes are not what was written.")
          }
          return file
        }
        try await replace(by: file, position: snapshot.position, bytes: bytes.count)
        return false
      }
    }
    guard !rows.isEmpty else {
      state.withLock { ($0.freshAt, $0.trouble) = (begun, nil) }
      return true
    }
    for (offset, row) in rows.enumerated() {
      let place = position + 1 + offset
      guard keys.position(ofEntry: row.key) == place else {
        throw StoreError(.corrupt, "Entry \(place) of the store's log in etcd is missing.")
      }
      var entry = try EtcdEntry(row.value, "Entry \(place)")
      if entry.parts > 0 { entry.bytes = try await parts("part", place, entry) }
      try await take(try BatchCodec.batch(entry.bytes, position: place), position: place, bytes: entry.bytes.count)
    }
    let isAll = answer.rows[3].more != true
    if isAll { state.withLock { ($0.freshAt, $0.trouble) = (begun, nil) } }
    return isAll
  }

  private func parts(_ kind: String, _ position: Int, _ entry: EtcdEntry) async throws(StoreError) -> Data {
    var bytes = Data()
    for index in 0..<entry.parts {
      let key = keys.part(kind, position, entry.nonce, index)
      let part: Data?
      do throws(EtcdClient.Failure) {
        part = try await client.read([EtcdClient.range(key)], patience: .seconds(5)).rows[0].first?.value
      } catch {
        throw StoreError(error)
      }
      guard let part else {
        throw StoreError(.unavailable, "A part of what etcd holds was replaced while it was read.")
      }
      bytes += part
    }
    return bytes
  }

  /// A new leader need not make a snapshot of what another has made one of.
  private func noteSnapshot(_ snapshot: EtcdEntry, _ position: Int) {
    state.withLock { state in
      guard snapshot.position <= position, snapshot.position > state.snapshotAt ?? 0 else { return }
      state.snapshotAt = snapshot.position
      state.snapshotBytes = snapshot.parts * EtcdEntry.mostBytes
      // What this replica has too little of, counts with what it has.
      state.logBytes = state.news.reduce(0) { $0 + ($1.position > snapshot.position ? $1.bytes : 0) }
    }
  }

  private func noteLeader(_ row: EtcdClient.KeyValue?) {
    let term = row?.createRevision.flatMap { Int($0) }
    let address = row?.value.flatMap { try? EtcdEntry($0, "The leader's key") }.flatMap {
      String(data: $0.bytes, encoding: .utf8)
    }
    state.withLock { state in
      state.seenTerm = term
      // What this replica is itself, its campaign tells; told after that, this would hide it for the whole term.
      guard !state.isCampaigning else { return }
      state.tell(.follower(of: term.flatMap { term in address.map { .init(term: term, address: $0) } }))
    }
  }
}

extension StoreError {
  init(_ failure: EtcdClient.Failure) {
    switch failure {
    case .refused(let code, let message):
      let isFull = code == 8 && message.contains("space")
      let hint =
        code == 7 ? " (the role of --etcd-user needs readwrite on all keys that begin with the prefix and a slash)" : ""
      self.init(
        isFull ? .full : .failed, isFull ? "etcd has no room left: \(message)" : "etcd refuses: \(message)\(hint)")
    case .unreachable(let what): self.init(.unavailable, "etcd is not reached: \(what)")
    case .unknown(let what): self.init(.unavailable, "etcd does not answer: \(what)")
    }
  }
}
