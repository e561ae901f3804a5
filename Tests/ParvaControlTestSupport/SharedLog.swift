import Foundation
package import ParvaControl
import Synchronization

/// A log of commits that several replicas in one process share, each with a SQLite file of its own as its copy. Who leads is
/// what a test says; there is no etcd behind it.
package final class SharedLog: Sendable {
  private struct State {
    var batches: [StoreBatch] = []
    var replicas: [Replica] = []
    var leader: Replica?
    var term = 0
    /// When terms ended.
    var ends: [Int: ContinuousClock.Instant] = [:]
  }

  private let state = Mutex(State())

  package init() {}

  package func replica() throws -> Replica {
    let replica = try Replica(self)
    state.withLock { $0.replicas.append(replica) }
    return replica
  }

  /// Has a replica lead in a new term, once its copy is whole, or nobody.
  package func lead(_ replica: Replica?) async {
    let (others, position) = state.withLock { state in
      if state.leader != nil { state.ends[state.term] = .now }
      state.leader = nil
      return (state.replicas, state.batches.count)
    }
    for other in others { other.tell(.follower(of: nil)) }
    guard let replica else { return }
    _ = await replica.wait(for: position, until: .now + .seconds(60))
    let term = state.withLock { state in
      state.term += 1
      state.leader = replica
      return state.term
    }
    let leader = ReplicaStanding.Leader(term: term, address: replica.address)
    for other in others { other.tell(other === replica ? .leader(term: term) : .follower(of: leader)) }
  }

  fileprivate func leads(_ replica: Replica, in term: Int) -> Bool {
    state.withLock { $0.leader === replica && $0.term == term }
  }

  /// The index that it has got, nil where somebody else leads.
  fileprivate func append(_ batch: StoreBatch, by replica: Replica, in term: Int) -> Int? {
    let (index, replicas) = state.withLock { state -> (Int?, [Replica]) in
      guard state.leader === replica, state.term == term else { return (nil, []) }
      state.batches.append(batch)
      return (state.batches.count, state.replicas)
    }
    for replica in replicas { replica.ring() }
    return index
  }

  fileprivate func sureUntil(_ replica: Replica, in term: Int) -> ContinuousClock.Instant? {
    state.withLock { $0.leader === replica && $0.term == term ? .now : $0.ends[term] }
  }

  /// As if all had been there for long.
  fileprivate var members: [SeenReplica] {
    let replicas = state.withLock(\.replicas)
    return replicas.compactMap(\.member).map { SeenReplica($0, since: .now - .seconds(3600)) }
  }

  fileprivate var count: Int { state.withLock(\.batches.count) }

  fileprivate func batches(after position: Int) -> ArraySlice<StoreBatch> { state.withLock { $0.batches[position...] } }

  /// One of the replicas.
  package final class Replica: ReplicatedStore, ReadingStore {
    private struct State {
      var member: ReplicaMember?
      var standing = ReplicaStanding.follower(of: nil)
      var followers = StreamTable<ReplicaStanding>()
      /// What has come since the copy was read anew, which holds the first of all.
      var news: [(batch: StoreBatch, position: Int)] = []
      var first = 0
      var readers = StreamTable<ReplicaNews>()
      var freshAt: ContinuousClock.Instant?
      var trouble: StoreError?
      var isHeld = false
    }

    fileprivate var member: ReplicaMember? { state.withLock(\.member) }

    private let log: SharedLog
    private let folder: TemporaryFolder
    private let copy: SQLiteStore
    private let state = Mutex(State())
    /// How many commits the copy holds.
    private let board = WaitingBoard(0)
    private let bell = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    /// Commits and whole readings take turns.
    private let turns = AsyncStream.makeStream(of: Void.self)
    private let pump = Mutex<Task<Void, Never>?>(nil)

    fileprivate init(_ log: SharedLog) throws {
      self.log = log
      folder = try TemporaryFolder()
      copy = try SQLiteStore(path: folder.file("copy.sqlite"))
      turns.continuation.yield()
      pump.withLock { $0 = Task { [weak self, bell] in for await _ in bell.stream { await self?.take() } } }
      ring()
    }

    fileprivate func ring() { bell.continuation.yield() }

    private func taking<Value: Sendable>(_ work: () async throws -> Value) async rethrows -> Value {
      for await _ in turns.stream { break }
      defer { turns.continuation.yield() }
      return try await work()
    }

    private func take() async {
      guard !state.withLock(\.isHeld) else { return }
      let first = position + 1
      for (offset, batch) in log.batches(after: first - 1).enumerated() {
        guard !state.withLock(\.isHeld) else { return }
        await take(batch, first + offset)
      }
    }

    private func take(_ batch: StoreBatch, _ place: Int) async {
      await taking {
        guard place == position + 1 else { return }
        do {
          try await copy.commit(batch)
        } catch {
          fatalError("the copy does not take what was committed: \(error)")
        }
        let readers = state.withLock { state in
          state.news.append((batch, place))
          return state.readers
        }
        board.change { $0 = place }
        readers.yield(.batch(batch, position: place))
      }
    }

    package func entries(after position: Int) async throws(StoreError) -> [ReplicaEntry] {
      let news = state.withLock { $0.news.filter { $0.position > position } }
      var entries: [ReplicaEntry] = []
      for one in news { entries.append(try ReplicaEntry(one.batch, position: one.position, nonce: 0)) }
      return entries
    }

    package func take(_ entries: [ReplicaEntry]) async throws(StoreError) {
      for entry in entries { await take(try entry.batch(), entry.position) }
    }

    // MARK: - What a test does to it

    package var source: any Store { copy }
    package var address: String { state.withLock { $0.member?.address } ?? "" }

    /// Nothing comes in while it is held.
    package func hold(_ isHeld: Bool) {
      state.withLock { $0.isHeld = isHeld }
      ring()
    }

    package func ail(_ trouble: StoreError?) { state.withLock { $0.trouble = trouble } }

    /// As if the copy had been read anew as a whole.
    package func reset() async {
      await taking {
        let position = position
        let readers = state.withLock { state in
          (state.news, state.first) = ([], position)
          return state.readers.removeAll()
        }
        for reader in readers { reader.yield(.reset(position: position)); reader.finish() }
      }
    }

    fileprivate func tell(_ standing: ReplicaStanding) {
      let followers = state.withLock { state in
        state.standing = standing
        return state.followers
      }
      followers.yield(standing)
    }

    // MARK: - As a replicated store

    package func campaign(as member: ReplicaMember) async { state.withLock { $0.member = member } }

    package var members: [SeenReplica] { log.members }

    package var standing: ReplicaStanding { state.withLock(\.standing) }

    package func standings() -> AsyncStream<ReplicaStanding> {
      let (stream, continuation) = AsyncStream.makeStream(of: ReplicaStanding.self)
      let id = state.withLock { state in
        continuation.yield(state.standing)
        return state.followers.add(continuation)
      }
      continuation.onTermination = { [weak self] _ in Task.detached { self?.state.withLock { $0.followers.remove(id) } }
      }
      return stream
    }

    package func writer(term: Int) -> any Store { Writer(replica: self, term: term) }

    package func news(after position: Int) -> AsyncStream<ReplicaNews> {
      let (stream, continuation) = AsyncStream.makeStream(of: ReplicaNews.self)
      let id = state.withLock { state in
        if position < state.first { continuation.yield(.reset(position: self.position)) }
        for news in state.news where news.position > position {
          continuation.yield(.batch(news.batch, position: news.position))
        }
        return state.readers.add(continuation)
      }
      continuation.onTermination = { [weak self] _ in Task.detached { self?.state.withLock { $0.readers.remove(id) } } }
      return stream
    }

    package var position: Int { board.read { $0 } }

    package var freshAt: ContinuousClock.Instant? {
      let now = ContinuousClock.now
      let isWhole = log.count == position
      return state.withLock { state in
        if isWhole, !state.isHeld { state.freshAt = now }
        return state.freshAt
      }
    }

    package func wait(for position: Int, until end: ContinuousClock.Instant) async -> Bool {
      await board.wait(for: ContinuousClock.now.duration(to: end)) { ($0 >= position, $0 >= position) }
    }

    package func isSurelyLeader(in term: Int) -> Bool { log.leads(self, in: term) }
    package func sureUntil(in term: Int) -> ContinuousClock.Instant? { log.sureUntil(self, in: term) }
    package func resign() async { if case .leader = standing { await log.lead(nil) } }
    package func withdraw() async { await resign() }
    package var trouble: StoreError? { state.withLock(\.trouble) }

    fileprivate func append(_ batch: StoreBatch, in term: Int) async throws(StoreError) {
      if let trouble { throw trouble }
      guard let index = log.append(batch, by: self, in: term) else {
        throw StoreError(.notLeader, "another replica leads")
      }
      _ = await wait(for: index, until: .now + .seconds(600))
    }

    package func load() async throws(StoreError) -> StoreContents { try await load { _ in nil } }

    package func load(
      knowing known: @escaping @Sendable (_ position: Int) -> KnownContents?
    ) async throws(StoreError) -> StoreContents {
      let result: Result<StoreContents, StoreError> = await taking {
        do throws(StoreError) {
          var contents = try await copy.load(knowing: known(position))
          contents.position = position
          return .success(contents)
        } catch {
          return .failure(error)
        }
      }
      return try result.get()
    }

    package func close() async throws(StoreError) {
      let (followers, readers) = state.withLock { ($0.followers.removeAll(), $0.readers.removeAll()) }
      for follower in followers { follower.finish() }
      for reader in readers { reader.finish() }
      bell.continuation.finish()
      await pump.withLock { $0 }?.value
      try await copy.close()
    }

    package func commit(_ batch: StoreBatch) async throws(StoreError) {
      throw StoreError(.notLeader, "only writers of a term commit")
    }

    package func probe() async throws(StoreError) {}
  }

  /// Commits in a term.
  private struct Writer: ReadingStore {
    let replica: Replica
    var source: any Store { replica }
    let term: Int

    func commit(_ batch: StoreBatch) async throws(StoreError) { try await replica.append(batch, in: term) }

    func probe() async throws(StoreError) {
      if let trouble = replica.trouble { throw trouble }
      guard replica.isSurelyLeader(in: term) else { throw StoreError(.notLeader, "another replica leads") }
    }

    func close() async throws(StoreError) {}
  }
}
