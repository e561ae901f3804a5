import Foundation
import ParvaHTTP
import ParvaServing
import Synchronization

/// What waits to be appended. Those who come while a transaction runs share the next.
final class EtcdAppends: Sendable {
  struct Pending: Sendable {
    let batch: StoreBatch
    let data: Data
    let done: CheckedContinuation<Result<Void, StoreError>, Never>
  }

  private struct State {
    var term: Int?
    var isLost = false
    /// Of the term for which the queue is run; a term before may still have a transaction under way.
    var runningTerm: Int?
    var queue: [Pending] = []
    /// How many transactions were begun.
    var begun = 0
  }

  /// How many have ended.
  private let ended = WaitingBoard(0)

  private let state = Mutex(State())

  func begin(_ term: Int) { state.withLock { ($0.term, $0.isLost) = (term, false) } }

  /// Nothing more is appended in the term.
  func end(_ term: Int) {
    let refused = state.withLock { state -> [Pending] in
      guard state.term == term else { return [] }
      state.term = nil
      defer { state.queue = [] }
      return state.queue
    }
    for one in refused { one.done.resume(returning: .failure(Self.notLeader)) }
  }

  /// Another leads, or it is not known what became of an entry.
  func lose(_ term: Int) {
    state.withLock { if $0.term == term { $0.isLost = true } }
  }

  func isLost(_ term: Int) -> Bool { state.withLock { $0.term != term || $0.isLost } }

  /// Whether what was under way when it was called has ended: a large one takes seconds, and nobody who asks can be answered before.
  ///
  /// - Parameters:
  ///   - limit: how long that is waited for,
  ///   - isSure: as long as this holds,
  ///   - pause: looked at so often.
  func settle(
    within limit: Duration = .seconds(10), every pause: Duration = .milliseconds(100), while isSure: () -> Bool
  ) async -> Bool {
    let (begun, end) = (state.withLock(\.begun), ContinuousClock.now + limit)
    while !(await ended.wait(for: pause, { ($0 >= begun, $0 >= begun) })) {
      guard isSure(), .now < end, !Task.isCancelled else { return false }
    }
    return true
  }

  func groupBegins() { state.withLock { $0.begun += 1 } }
  func groupEnds() { ended.change { $0 += 1 } }

  static var notLeader: StoreError { StoreError(.notLeader, "Another replica leads, or none does.") }

  /// What became of an entry or snapshot of ours whose transaction was refused because another leads, or its number is taken. What was
  /// sent before demands the same leader, and comes to nothing where it comes yet.
  ///
  /// - Parameters:
  ///   - entry: what stands under its number.
  ///   - snapshot: the pointer to the newest snapshot.
  ///   - mayBeDone: whether an answer was lost before.
  /// - Returns: nil where it is stored.
  static func fate(
    _ nonce: UInt64?, at position: Int, entry: Data?, snapshot: Data?, mayBeDone: Bool
  ) -> StoreError? {
    let snapshot = try? EtcdEntry(snapshot, "The pointer to the snapshot")
    if let snapshot, snapshot.nonce == nonce { return nil }
    if let entry = try? EtcdEntry(entry, "An entry") { return entry.nonce == nonce ? nil : notLeader }
    guard nonce != nil, mayBeDone, let snapshot, snapshot.position >= position else { return notLeader }
    // It would have gone with the log before the snapshot; what the snapshot is made of has no nonces.
    return StoreError(.outcomeUnknown, "It is not known whether the change was stored: the log has gone on past it")
  }

  /// Whether who has entered it is to run the queue; nil where the term is over.
  func enter(_ pending: Pending, in term: Int) -> Bool? {
    state.withLock { state in
      guard state.term == term, !state.isLost else { return nil }
      state.queue.append(pending)
      defer { state.runningTerm = term }
      return state.runningTerm != term
    }
  }

  /// The next that go into one transaction; ends the run where there are none.
  func next(in term: Int) -> [Pending] {
    state.withLock { state in
      guard state.runningTerm == term else { return [] }
      var bytes = 0
      let group = state.queue.prefix { one in
        bytes += one.data.count + 200
        return bytes <= EtcdEntry.mostBytes
      }.prefix(60)
      let taken = group.isEmpty ? Array(state.queue.prefix(1)) : Array(group)
      state.queue.removeFirst(taken.count)
      if taken.isEmpty { state.runningTerm = nil }
      return taken
    }
  }
}

extension StoreBatch {
  /// Whether it takes long enough to write that it is not done between requests.
  fileprivate var isLarge: Bool {
    registrations.count + nodeStates.count + assignments.count > 200 || plan?.document.count ?? 0 > 1 << 18
  }
}

/// Appending to the log.
extension EtcdStore {
  func append(_ batch: StoreBatch, in term: Int) async throws(StoreError) {
    guard !batch.isEmpty else {
      // Nothing is stored, and nothing says whether what it was judged by is the newest but this.
      guard isSurelyLeader(in: term) else { throw EtcdAppends.notLeader }
      return
    }
    if let trouble = state.withLock(\.trouble) { throw trouble }
    let data =
      batch.isLarge
      ? try await coding.run { () throws(StoreError) in try BatchCodec.data(batch) } : try BatchCodec.data(batch)
    let result = await withCheckedContinuation { done in
      switch appends.enter(EtcdAppends.Pending(batch: batch, data: data, done: done), in: term) {
      case nil: done.resume(returning: .failure(EtcdAppends.notLeader))
      case true?: Task { await run(term) }
      case false?: break
      }
    }
    try result.get()
  }

  private func run(_ term: Int) async {
    while true {
      let group = appends.next(in: term)
      guard !group.isEmpty else { break }
      let result: Result<Void, StoreError>
      appends.groupBegins()
      defer { appends.groupEnds() }
      do throws(StoreError) {
        try await append(group, in: term)
        result = .success(())
      } catch {
        result = .failure(error)
        if error.code == .full { makeRoom() }
      }
      for one in group { one.done.resume(returning: result) }
      snapshotWhereDue(term)
    }
  }

  private func append(_ group: [EtcdAppends.Pending], in term: Int) async throws(StoreError) {
    guard !appends.isLost(term) else { throw EtcdAppends.notLeader }
    let first = position + 1
    var entries: [EtcdEntry] = []
    for (offset, one) in group.enumerated() {
      let nonce = UInt64.random(in: 0...UInt64.max)
      if one.data.count > EtcdEntry.mostBytes {
        let count = try await write(one.data, "part", first + offset, nonce, in: term)
        entries.append(EtcdEntry(nonce: nonce, parts: count, position: first + offset))
      } else {
        entries.append(EtcdEntry(nonce: nonce, position: first + offset, bytes: one.data))
      }
    }
    let puts = entries.enumerated().map { EtcdClient.put(keys.entry(first + $0), $1.value) }
    try await certainly(
      in: term, position: first, nonce: entries[0].nonce,
      if: [EtcdClient.created(keys.entry(first), at: 0)], then: puts)
    for (offset, one) in group.enumerated() {
      do throws(StoreError) {
        try await take(
          one.batch, position: first + offset, nonce: entries[offset].nonce, bytes: one.data.count,
          plainBytes: Gzip.expandedCount(of: one.data))
      } catch {
        // It is committed and not in the copy: from here on this replica knows less than it says.
        appends.lose(term)
        throw StoreError(.outcomeUnknown, "What was committed cannot be written to the copy: \(error.message)")
      }
    }
  }

  /// Has a transaction done as a leader, and asks until it is certain whether it was.
  func certainly(
    in term: Int, position: Int, nonce: UInt64?, if compares: [String], then success: [String]
  ) async throws(StoreError) {
    let failure = [EtcdClient.range(keys.entry(position)), EtcdClient.range(keys.snapshot)]
    var mayBeDone = false
    let end = ContinuousClock.now + settings.lease * 2
    while true {
      let problem: StoreError
      let answer: EtcdClient.TransactionResponse?
      do throws(EtcdClient.Failure) {
        answer = try await client.transaction(
          if: [EtcdClient.created(keys.leader, at: term)] + compares, then: success, else: failure,
          patience: min(.seconds(3), max(.milliseconds(500), settings.lease / 2)))
        problem = EtcdAppends.notLeader
      } catch {
        switch error {
        case .refused where !mayBeDone: throw StoreError(error)
        case .refused, .unknown: mayBeDone = true
        case .unreachable: break
        }
        (answer, problem) = (nil, StoreError(error))
      }
      if let answer {
        if answer.succeeded == true { return }
        let rows = (answer.responses ?? []).map { $0.responseRange?.first?.value }
        let fate = EtcdAppends.fate(
          nonce, at: position, entry: rows.first ?? nil, snapshot: rows.last ?? nil, mayBeDone: mayBeDone)
        guard let fate else { return }
        appends.lose(term)
        throw fate
      }
      if ContinuousClock.now > end || state.withLock(\.isClosed) {
        appends.lose(term)
        guard mayBeDone else { throw problem }
        throw StoreError(.outcomeUnknown, "It is not known whether the change was stored: \(problem.message)")
      }
      try? await Task.sleep(for: .milliseconds(20))
    }
  }

  /// Writes bytes in parts, which nothing names yet; how many there are. Where there is no room for all, none stay.
  func write(
    _ data: Data, _ kind: String, _ position: Int, _ nonce: UInt64, in term: Int
  ) async throws(StoreError) -> Int {
    do throws(StoreError) {
      return try await writeParts(data, kind, position, nonce, in: term)
    } catch {
      if error.code == .full {
        let (from, to) = keys.allParts(kind, position, nonce)
        // etcd deletes while it takes nothing else.
        try? await certainly(
          in: term, position: position, nonce: nil, if: [], then: [EtcdClient.delete(from, to: to)])
      }
      throw error
    }
  }

  private func writeParts(
    _ data: Data, _ kind: String, _ position: Int, _ nonce: UInt64, in term: Int
  ) async throws(StoreError) -> Int {
    var count = 0
    var rest = data[...]
    while !rest.isEmpty {
      let part = rest.prefix(EtcdEntry.mostBytes)
      try await certainly(
        in: term, position: position, nonce: nil, if: [],
        then: [EtcdClient.put(keys.part(kind, position, nonce, count), Data(part))])
      rest = rest.dropFirst(part.count)
      count += 1
    }
    return count
  }
}
