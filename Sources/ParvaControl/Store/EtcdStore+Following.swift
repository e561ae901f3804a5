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
    let answer: EtcdClient.TransactionResponse
    do throws(EtcdClient.Failure) {
      answer = try await client.transaction(
        if: [],
        then: [
          EtcdClient.range(keys.leader), EtcdClient.range(keys.snapshot),
          EtcdClient.range(keys.entry(position + 1), to: keys.afterEntries, limit: limit),
        ])
      state.withLock { $0.pageLimit = min(64, limit * 2) }
    } catch {
      state.withLock { $0.pageLimit = max(1, limit / 4) }
      throw StoreError(error)
    }
    let ranges = (answer.responses ?? []).map { $0.responseRange?.kvs ?? [] }
    guard ranges.count == 3 else { throw StoreError(.unavailable, "etcd has answered less than it was asked.") }
    noteLeader(ranges[0].first)
    let first = ranges[2].first.flatMap { keys.position(ofEntry: $0.key) }
    if let pointer = ranges[1].first {
      let snapshot = try EtcdEntry(pointer.value, "The pointer to the snapshot")
      // A new leader need not make one of what another has made one of.
      state.withLock { $0.snapshotAt = max($0.snapshotAt ?? 0, min(snapshot.position, position)) }
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
    guard !ranges[2].isEmpty else {
      state.withLock { ($0.freshAt, $0.trouble) = (begun, nil) }
      return true
    }
    for (offset, row) in ranges[2].enumerated() {
      let place = position + 1 + offset
      guard keys.position(ofEntry: row.key) == place else {
        throw StoreError(.corrupt, "Entry \(place) of the store's log in etcd is missing.")
      }
      var entry = try EtcdEntry(row.value, "Entry \(place)")
      if entry.parts > 0 { entry.bytes = try await parts("part", place, entry) }
      try await take(try BatchCodec.batch(entry.bytes, position: place), position: place, bytes: entry.bytes.count)
    }
    let isAll = answer.responses?[2].responseRange?.more != true
    if isAll { state.withLock { ($0.freshAt, $0.trouble) = (begun, nil) } }
    return isAll
  }

  private func parts(_ kind: String, _ position: Int, _ entry: EtcdEntry) async throws(StoreError) -> Data {
    var bytes = Data()
    for index in 0..<entry.parts {
      let key = keys.part(kind, position, entry.nonce, index)
      let answer: EtcdClient.TransactionResponse
      do throws(EtcdClient.Failure) {
        answer = try await client.transaction(if: [], then: [EtcdClient.range(key)], patience: .seconds(5))
      } catch {
        throw StoreError(error)
      }
      guard let part = answer.responses?.first?.responseRange?.kvs?.first?.value else {
        throw StoreError(.unavailable, "A part of what etcd holds was replaced while it was read.")
      }
      bytes += part
    }
    return bytes
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
      self.init(isFull ? .full : .failed, isFull ? "etcd has no room left: \(message)" : "etcd refuses: \(message)")
    case .unreachable(let what): self.init(.unavailable, "etcd is not reached: \(what)")
    case .unknown(let what): self.init(.unavailable, "etcd does not answer: \(what)")
    }
  }
}
