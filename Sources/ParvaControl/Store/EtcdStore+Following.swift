import Foundation
import GRDB
import Logging
import ParvaHTTP
import ParvaServing
import Synchronization

/// Reading the log.
extension EtcdStore {
  /// How often a replica asks whether it has everything, while somebody wants to know how old its copy is or it hears of
  /// changes in no other way; and otherwise.
  private static let (busy, calm) = (Duration.milliseconds(40), Duration.milliseconds(250))

  /// Asks again and again until the store is closed.
  func follow() async {
    let ticker = Task { [weak self, bell] in
      var last = ContinuousClock.now
      while !Task.isCancelled, let self {
        let isCalm = self.state.withLock { state in
          state.isListening && state.watchLate == nil && state.trouble == nil
            && state.askedAt.map { $0.duration(to: .now) > .seconds(1) } ?? true
        }
        if !isCalm || last.duration(to: .now) >= Self.calm {
          bell.continuation.yield()
          last = .now
        }
        try? await Task.sleep(for: Self.busy)
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
        var begun = ContinuousClock.now
        while try await !catchUp() { begun = .now }
        await keepSchema(begun)
      } catch {
        if state.withLock(\.isClosed) { return }
        note(error)
        try? await Task.sleep(for: .milliseconds(50))
      }
    }
  }

  /// A replica that has heard nothing for long takes no writes; a single request that failed says little.
  func note(_ error: StoreError) {
    let (isNews, watching) = state.withLock { state -> (Bool, Task<Void, Never>?) in
      // What was found stays until the copy was compared again.
      guard state.corruption == nil || error.code == .corrupt else { return (false, nil) }
      let age = state.freshAt.map { $0.duration(to: .now) } ?? .seconds(60)
      guard error.code != .unavailable || age > max(.seconds(1), client.patience * 2) else { return (false, nil) }
      defer { state.trouble = error }
      // What is in etcd is not what this replica has made of it.
      if error.code == .corrupt, state.isCampaigning, let term = state.led?.term { appends.lose(term) }
      // What a stream brings is compared with nothing.
      if error.code == .corrupt { state.watchFrom = nil }
      return (state.trouble?.code != error.code, error.code == .corrupt ? state.watching : nil)
    }
    watching?.cancel()
    guard isNews else { return }
    logger?.error(
      "the store cannot be followed", metadata: ["code": "\(error.code.rawValue)", "error": "\(error)"])
  }

  /// Everything up to a revision is in the copy, and was at that moment.
  private func noteWhole(_ begun: ContinuousClock.Instant, _ revision: Int) {
    let ended = state.withLock { state in
      defer { (state.freshAt, state.trouble) = (max(state.freshAt ?? begun, begun), nil) }
      state.watchFrom = max(state.watchFrom ?? 0, revision + 1)
      return state.trouble
    }
    tellEnd(of: ended)
  }

  func tellEnd(of trouble: StoreError?) {
    guard let trouble else { return }
    logger?.notice("the store is followed again", metadata: ["code": "\(trouble.code.rawValue)"])
  }

  /// Reads what the log has after the copy's position; whether that was all of it.
  func catchUp() async throws(StoreError) -> Bool {
    let begun = ContinuousClock.now
    let position = position
    let (newest, seen, limit, corruption, isDoubtful) = state.withLock { state in
      (
        state.last, state.revision, state.pageLimit, state.corruption,
        state.corruption != nil || state.freshAt.map { $0.duration(to: begun) > .seconds(1) } ?? true
      )
    }
    let last = isDoubtful ? EtcdClient.range(keys.entry(position)) : EtcdClient.count(keys.entry(position))
    let answer: (revision: Int, rows: [EtcdClient.Range])
    do throws(EtcdClient.Failure) {
      answer = try await client.read([
        EtcdClient.range(keys.leader), EtcdClient.range(keys.snapshot), last,
        EtcdClient.range(keys.entry(position + 1), to: keys.afterEntries, limit: limit), EtcdClient.range(keys.schema),
      ])
      state.withLock { $0.pageLimit = min(64, limit * 2) }
    } catch {
      state.withLock { $0.pageLimit = max(1, limit / 4) }
      throw StoreError(error)
    }
    state.withLock { $0.revision = max($0.revision, answer.revision) }
    try noteSchema(answer.rows[4].first)
    noteLeader(answer.rows[0].first, answer.revision)
    if let key = answer.rows[0].first, key.lease ?? "0" == "0" { await takeAway(key) }
    let rows = answer.rows[3].kvs ?? []
    let first = rows.first.flatMap { keys.position(ofEntry: $0.key) }
    let snapshot = try answer.rows[1].first.map { pointer throws(StoreError) in
      try EtcdEntry(pointer.value, "The pointer to the snapshot")
    }
    // Where etcd was put back to what it held earlier, or emptied, what comes next does not fit to this copy.
    let isThere = answer.rows[2].count != nil
    let isOther =
      isDoubtful && newest?.position == position && isThere
      && (try? EtcdEntry(answer.rows[2].first?.value, "Entry \(position)"))?.nonce != newest?.nonce
    guard answer.revision >= seen, position == 0 || isThere || snapshot?.position ?? 0 >= position, !isOther else {
      throw StoreError(
        .corrupt,
        "Entry \(position) of the store's log, which this replica has read, is not in etcd any more: etcd was emptied, or put "
          + "back to what it held earlier. What this replica has can be copied by parva backup FILE --store \(copy.pool.path); "
          + "then stop all controllers, put the right copy in place by parva restore --force, and start them.")
    }
    // What was found to be another log is followed again where it goes on from the very entry that the copy ends with; else a
    // snapshot alone takes the place of all there is.
    let isAnother = corruption != nil && position > 0 && !(isThere && newest?.position == position)
    if let snapshot {
      noteSnapshot(snapshot, position)
      if first != position + 1 || isAnother, snapshot.position > position {
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
    if isAnother, let corruption { throw corruption }
    guard !rows.isEmpty else {
      noteWhole(begun, answer.revision)
      noteLate(owes: false)
      return true
    }
    noteLate(owes: true)
    for (offset, row) in rows.enumerated() {
      let place = position + 1 + offset
      guard keys.position(ofEntry: row.key) == place else {
        // One that was put a second time below the log, by a request that came late, stands alone.
        if offset > 0 { return false }
        throw StoreError(.corrupt, "Entry \(place) of the store's log in etcd is missing.")
      }
      try await take(row.value, at: place, isCompared: true)
    }
    let isAll = answer.rows[3].more != true
    if isAll { noteWhole(begun, answer.revision) }
    return isAll
  }

  /// Takes an entry that is the next, as it stands in etcd.
  ///
  /// - Parameter isCompared: whether the entry before it is the copy's last one.
  func take(_ value: Data?, at place: Int, isCompared: Bool = false) async throws(StoreError) {
    guard place == position + 1 else { return }
    var entry = try EtcdEntry(value, "Entry \(place)")
    guard entry.position == 0 || entry.position == place else {
      throw StoreError(
        .corrupt,
        "Entry \(place) of the store in etcd was written as entry \(entry.position): something else has changed the log."
      )
    }
    if entry.parts > 0 { entry.bytes = try await parts("part", place, entry) }
    let bytes = entry.bytes
    let batch =
      bytes.count < 64 << 10
      ? try BatchCodec.batch(bytes, position: place)
      : try await coding.run { () throws(StoreError) in try BatchCodec.batch(bytes, position: place) }
    try await take(
      batch, position: place, nonce: entry.nonce, bytes: bytes.count, plainBytes: Gzip.expandedCount(of: bytes),
      isCompared: isCompared)
  }

  func entries(after position: Int) async throws(StoreError) -> [ReplicaEntry] {
    // What is not in etcd is nobody else's.
    let news = state.withLock { state in
      state.corruption == nil ? state.news.all(after: position, mostBytes: ReplicaEntry.mostBytes) : []
    }
    return try await coding.run { () throws(StoreError) in
      var entries: [ReplicaEntry] = []
      for one in news { entries.append(try ReplicaEntry(one.batch, position: one.position, nonce: one.nonce)) }
      return entries
    }
  }

  func take(_ entries: [ReplicaEntry]) async throws(StoreError) {
    for entry in entries where entry.position == position + 1 {
      let batch = try await coding.run { () throws(StoreError) in try entry.batch() }
      try await take(
        batch, position: entry.position, nonce: entry.nonce, bytes: entry.bytes.count,
        plainBytes: Gzip.expandedCount(of: entry.bytes))
    }
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
        throw await missing(index, of: entry, kind == "snap" ? keys.snapshot : keys.entry(position))
      }
      bytes += part
    }
    return bytes
  }

  /// Why a part is not there: what it belongs to may have been replaced since it was read.
  private func missing(_ index: Int, of entry: EtcdEntry, _ key: String) async -> StoreError {
    let rows = try? await client.read([EtcdClient.range(key)]).rows[0]
    guard let now = try? EtcdEntry(rows?.first?.value, key), now.nonce == entry.nonce else {
      return StoreError(.unavailable, "A part of what etcd holds was replaced while it was read.")
    }
    return StoreError(
      .corrupt,
      "Part \(index) of \(entry.parts) of \(key) is not in etcd, though nothing has taken its place: something else has deleted it. "
        + "Replicas that have read it go on, and the next snapshot of the one that leads mends it; else put a copy in place by parva restore."
    )
  }

  /// A new leader need not make a snapshot of what another has made one of.
  private func noteSnapshot(_ snapshot: EtcdEntry, _ position: Int) {
    state.withLock { state in
      guard snapshot.position <= position, snapshot.position > state.snapshotAt ?? 0 else { return }
      state.snapshotAt = snapshot.position
      state.snapshotBytes = snapshot.parts * EtcdEntry.mostBytes
      // What this replica has too little of, counts with what it has.
      state.logBytes = state.news.all.reduce(0) { $0 + ($1.position > snapshot.position ? $1.bytes : 0) }
    }
  }

  /// Takes away a leader's key that has no lease: it would stay when its leader is gone, and nobody could lead any more.
  /// Somebody else has written it, or it was copied from another etcd.
  private func takeAway(_ key: EtcdClient.KeyValue) async {
    guard let revision = key.modRevision.flatMap({ Int($0) }) else { return }
    let answer = try? await client.transaction(
      if: [EtcdClient.modified(keys.leader, at: revision)],
      then: [EtcdClient.delete(keys.leader, to: keys.leader + "\u{0}")])
    guard answer?.succeeded == true else { return }
    logger?.warning(
      "the leader's key in etcd had no lease and is taken away: another begins to lead",
      metadata: ["key": "\(keys.leader)"])
  }

  /// - Parameter revision: as of which it is so.
  func noteLeader(_ row: EtcdClient.KeyValue?, _ revision: Int) {
    let term = row?.createRevision.flatMap { Int($0) }
    let address = row?.value.flatMap { try? EtcdEntry($0, "The leader's key") }.flatMap {
      String(data: $0.bytes, encoding: .utf8)
    }
    state.withLock { state in
      guard revision >= state.leaderRevision else { return }
      state.leaderRevision = revision
      // The key was taken away, while the lease goes on.
      if state.isCampaigning, let own = state.led?.term, revision >= own, term != own { appends.lose(own) }
      state.seenTerm = term
      state.leaderlessSince = term == nil ? state.leaderlessSince ?? .now : nil
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
