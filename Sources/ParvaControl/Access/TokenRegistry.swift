package import Foundation
package import ParvaHTTP
import Synchronization

/// The bearer tokens that were made at run time, in memory, and the one way to change them. What was answered with success
/// is on disk.
///
/// Who asks is found without the store: a request costs a digest and a search among those that begin alike.
package final class TokenRegistry: Sendable {
  /// What is asked of a new token.
  package struct Wish: Sendable {
    package var name: String
    package var role: AccessRole
    package var node: String?
    package var namespace: String?
    /// Seconds until it ends; nil: never by itself.
    package var lifetime: TimeInterval?
    package var createdBy: String

    package init(
      name: String, role: AccessRole, node: String? = nil, namespace: String? = nil, lifetime: TimeInterval? = nil,
      createdBy: String
    ) {
      self.name = name
      self.role = role
      self.node = node
      self.namespace = namespace
      self.lifetime = lifetime
      self.createdBy = createdBy
    }
  }

  package enum Refusal: Error, Hashable, Sendable {
    case notFound
    /// So many there are already.
    case tooMany(limit: Int)
    /// There is no such namespace, or no more.
    case unknownNamespace(String)
    case storeFailed(StoreError)
  }

  /// Seconds for which a token that has run out is still listed.
  package static let afterlife: TimeInterval = 7 * 86_400
  /// Most tokens at a time.
  package static let most = 20_000
  /// Seconds between two moments of use that are told apart.
  static let grain: TimeInterval = 60

  private struct Entry {
    var token: AccessToken
    let caller: Caller
    /// Whether the store knows of the last use.
    var isUseStored = true
  }

  private struct State {
    var entries: [String: Entry] = [:]
    /// Ids by the beginning of their digests.
    var places: [UInt64: [String]] = [:]
    var usesStoredAt = Date.distantPast
    /// When tokens were used here that another controller keeps.
    var usesHere: [String: Date] = [:]

    /// A use is written rarely, and a clock that went back takes nothing away.
    mutating func note(_ minute: Date, of id: String) {
      guard let entry = entries[id], (entry.token.lastUsedAt ?? .distantPast) < minute else { return }
      entries[id]?.token.lastUsedAt = minute
      entries[id]?.isUseStored = false
    }

    mutating func add(_ token: AccessToken) {
      entries[token.id] = Entry(
        token: token,
        caller: Caller(
          name: token.name, id: "token:\(token.id)", role: token.role.rawValue, node: token.node,
          namespace: token.namespace, expiresAt: token.expiresAt))
      places[token.digest.bucket, default: []].append(token.id)
    }

    mutating func remove(_ id: String) -> Caller? {
      guard let entry = entries.removeValue(forKey: id) else { return nil }
      places[entry.token.digest.bucket]?.removeAll { $0 == id }
      if places[entry.token.digest.bucket]?.isEmpty == true { places[entry.token.digest.bucket] = nil }
      return entry.caller
    }
  }

  private let store: any Store
  private let now: @Sendable () -> Date
  private let limit: Int
  /// Whether another controller keeps the tokens.
  private let isFollowing: Bool
  private let state: Mutex<State>
  /// Changes go one after the other: each waits for the store in its middle.
  private let gate = RequestLimit(1)

  /// - Parameter isFollowing: whether another controller keeps them: it is told of uses by ``takeUses()``.
  package init(
    tokens: [AccessToken], store: any Store, limit: Int = TokenRegistry.most, isFollowing: Bool = false,
    now: @escaping @Sendable () -> Date
  ) {
    self.isFollowing = isFollowing
    self.store = store
    self.limit = limit
    self.now = now
    var state = State()
    for token in tokens { state.add(token) }
    self.state = Mutex(state)
  }

  // MARK: - Asking

  /// Whose token this is; nil for one that is unknown, revoked or has run out. Notes the use.
  ///
  /// Digests are compared in the same time whatever they hold.
  package func caller(of secret: String) -> Caller? {
    guard secret.hasPrefix(TokenSecret.prefix), let digest = SecretDigest(of: secret) else { return nil }
    let time = now()
    return state.withLock { state in
      guard
        let id = state.places[digest.bucket]?.first(where: { state.entries[$0]?.token.digest.matches(digest) == true }),
        let entry = state.entries[id], !Self.hasRunOut(entry.token, at: time)
      else { return nil }
      // To the whole minute.
      let minute = Date(
        timeIntervalSince1970: (time.timeIntervalSince1970 / Self.grain).rounded(.down) * Self.grain)
      if isFollowing {
        state.usesHere[id] = max(state.usesHere[id] ?? minute, minute)
      } else {
        state.note(minute, of: id)
      }
      return entry.caller
    }
  }

  /// When tokens were used here, since the last call, for the controller that keeps them.
  package func takeUses() -> [String: Date] {
    state.withLock { state in
      defer { state.usesHere = [:] }
      return state.usesHere
    }
  }

  /// Puts back what could not be told.
  package func keep(uses: [String: Date]) {
    state.withLock { state in state.usesHere.merge(uses) { max($0, $1) } }
  }

  /// Takes over when tokens were used at another controller; of those that are not there, nothing.
  package func note(_ uses: [String: Date]) {
    state.withLock { state in for (id, date) in uses { state.note(date, of: id) } }
  }

  /// Returns once what was on its way to the store is in memory, or is not stored.
  func settle() async { await gate.run {} }

  /// Takes over what another controller has stored.
  func follow(_ batch: StoreBatch) {
    guard !batch.tokens.isEmpty || !batch.tokenUses.isEmpty else { return }
    let gone = state.withLock { state in
      let gone = batch.tokens.keys.compactMap { state.remove($0) }
      for case let token? in batch.tokens.values { state.add(token) }
      for (id, date) in batch.tokenUses { state.entries[id]?.token.lastUsedAt = date }
      return gone
    }
    for caller in gone { caller.end() }
  }

  package func token(_ id: String) -> AccessToken? { state.withLock { $0.entries[id]?.token } }

  package var count: Int { state.withLock(\.entries.count) }

  /// Tokens that are for one namespace, those that have run out included. O(tokens).
  package func count(in namespace: String) -> Int {
    state.withLock { state in state.entries.values.count { $0.token.namespace == namespace } }
  }

  /// In order of id, those after one, all for nil. O(n log n).
  package func tokens(after id: String?) -> [AccessToken] {
    state.withLock { state in
      state.entries.values.lazy.map(\.token).filter { $0.id > id ?? "" }
    }.sorted { $0.id < $1.id }
  }

  package static func hasRunOut(_ token: AccessToken, at time: Date) -> Bool {
    token.expiresAt.map { $0 <= time } ?? false
  }

  // MARK: - Changing

  /// Makes a token. The secret is told this once.
  ///
  /// - Parameter exists: whether there is a namespace; nothing runs by ``whileNoneIsMade(_:)`` between that and the token.
  package func create(
    _ wish: Wish, in exists: @Sendable (String) -> Bool = { _ in true }
  ) async throws(Refusal) -> (token: AccessToken, secret: String) {
    try await gate.run { () async throws(Refusal) in
      if let namespace = wish.namespace, !exists(namespace) { throw .unknownNamespace(namespace) }
      return try await self.created(wish)
    }
  }

  /// Runs what depends on which tokens there are: none is made or taken away meanwhile.
  package func whileNoneIsMade<Value: Sendable, Failure: Error>(
    _ work: @Sendable () async throws(Failure) -> Value
  ) async throws(Failure) -> Value {
    try await gate.run(work)
  }

  private func created(_ wish: Wish) async throws(Refusal) -> (token: AccessToken, secret: String) {
    let time = now().wholeMilliseconds
    guard count < limit else { throw .tooMany(limit: limit) }
    guard let made = TokenSecret.make() else {
      throw .storeFailed(StoreError(.failed, "OpenSSL gives no digests."))
    }
    let token = AccessToken(
      id: TokenSecret.makeID(), name: wish.name, role: wish.role, node: wish.node, namespace: wish.namespace,
      digest: made.digest, createdAt: time, createdBy: wish.createdBy, expiresAt: wish.lifetime.map { time + $0 })
    var batch = StoreBatch()
    batch.tokens[token.id] = token
    try await commit(batch, 201, "tokens/\(token.id)", after: token.tagForRecords)
    state.withLock { $0.add(token) }
    return (token, made.secret)
  }

  /// Takes a token away: it lets nobody in any more when this returns, and what it has opened has ended.
  package func revoke(_ id: String) async throws(Refusal) {
    try await gate.run { () async throws(Refusal) in
      guard let token = self.token(id) else { throw .notFound }
      var batch = StoreBatch()
      batch.tokens[id] = .some(nil)
      try await self.commit(batch, 204, "tokens/\(id)", before: token.tagForRecords)
      self.state.withLock { $0.remove(id) }?.end()
    }
  }

  /// Stores when tokens were used, once a minute at most, and forgets those that ran out long ago; called about once a
  /// second.
  package func keep() async throws(Refusal) {
    let time = now()
    let due = state.withLock { state -> (uses: [String: Date], old: [String])? in
      guard abs(time.timeIntervalSince(state.usesStoredAt)) >= Self.grain else { return nil }
      state.usesStoredAt = time
      var uses: [String: Date] = [:]
      var old: [String] = []
      for (id, entry) in state.entries {
        if Self.hasRunOut(entry.token, at: time - Self.afterlife) {
          old.append(id)
        } else if !entry.isUseStored {
          uses[id] = entry.token.lastUsedAt
        }
      }
      return (uses, old)
    }
    guard let due, !due.uses.isEmpty || !due.old.isEmpty else { return }
    try await gate.run { () async throws(Refusal) in
      var batch = StoreBatch()
      batch.tokenUses = due.uses
      for id in due.old { batch.tokens[id] = .some(nil) }
      do throws(StoreError) {
        try await self.store.commit(batch)
      } catch {
        throw .storeFailed(error)
      }
      self.state.withLock { state in
        for (id, date) in due.uses where state.entries[id]?.token.lastUsedAt == date {
          state.entries[id]?.isUseStored = true
        }
        for id in due.old { _ = state.remove(id) }
      }
    }
  }

  /// Stores what a request has changed, with its row in the audit.
  private func commit(
    _ batch: StoreBatch, _ status: Int, _ resource: String, before: String? = nil, after: String? = nil
  ) async throws(Refusal) {
    do throws(StoreError) {
      try await store.commit(batch, for: AuditDraft.open) {
        $0.change(status, resource, before: before, after: after)
      }
    } catch {
      throw .storeFailed(error)
    }
  }
}

extension AccessToken {
  /// Of all that is decided of it, and nothing of what lets in.
  fileprivate var tagForRecords: String {
    let end = expiresAt.map { String($0.timeIntervalSince1970) } ?? ""
    return EntityTag.forRecords(
      0, Data([id, name, role.rawValue, node ?? "", namespace ?? "", end].joined(separator: "\n").utf8))
  }
}
