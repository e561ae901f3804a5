import Foundation

/// A store that several controllers share: one of them leads and alone writes, and what it commits reaches all of them
/// in one order.
///
/// Every replica reads from a copy of its own, which holds all commits up to its ``position``.
package protocol ReplicatedStore: Store {
  /// Takes part in the election until the store is closed; before, nobody can lead here.
  ///
  /// - Parameter member: what the others are told of this one.
  func campaign(as member: ReplicaMember) async

  /// Who takes part, as far as is known; this one among them.
  var members: [SeenReplica] { get }

  /// Why this replica will not lead, whoever else goes; nil where it may.
  var hindrance: StoreError? { get }

  /// What this replica is now.
  var standing: ReplicaStanding { get }

  /// What it is, now and at every change. A leader is named only when its copy holds everything that was committed
  /// before its term, and is not named any more before another can be.
  func standings() -> AsyncStream<ReplicaStanding>

  /// Takes commits in the name of a term; from its end on it throws `not_leader`. Reads are those of this store, and
  /// closing it closes nothing else.
  func writer(term: Int) -> any Store

  /// What has come into the copy after a position, in order, without end; begins with `.reset` where the copy no longer
  /// knows all of it. Batches of this replica's own writer are among them.
  func news(after position: Int) -> AsyncStream<ReplicaNews>

  /// What the copy holds, of which the large parts may be known already. Nothing comes into it until it is read.
  ///
  /// - Parameter known: what is known as of a position, which is that of the copy; nil where that is something else. Quick.
  func load(knowing known: @escaping @Sendable (_ position: Int) -> KnownContents?) async throws(StoreError)
    -> StoreContents

  /// What has come into the copy of late after a position, in order, for another replica; none where that is not known any more.
  func entries(after position: Int) async throws(StoreError) -> [ReplicaEntry]

  /// Takes what another replica's copy has into this one's, as far as it comes next.
  func take(_ entries: [ReplicaEntry]) async throws(StoreError)

  /// How many commits its copy holds.
  var position: Int { get }

  /// When the copy was last known to hold everything that was committed; nil before the first time.
  var freshAt: ContinuousClock.Instant? { get }

  /// Waits until the copy has come to a position; false where it has not by then.
  func wait(for position: Int, until end: ContinuousClock.Instant) async -> Bool

  /// Whether nobody else can have led up to now: what was read of the leader's state before this is the newest there was.
  func isSurelyLeader(in term: Int) -> Bool

  /// Until when nobody else can have led, of a term in which this replica leads or led; nil where that is not known any more.
  func sureUntil(in term: Int) -> ContinuousClock.Instant?

  /// Waits until every commit that was under way when it was called is in the copy: another replica may know of it already.
  /// False where that did not become certain; then this one is not to answer as the leader.
  func settle() async -> Bool

  /// Gives leadership up, so that another replica need not wait for the lease to run out.
  func resign() async

  /// The same, and this replica is not elected any more.
  func withdraw() async
}

extension ReplicatedStore {
  package var hindrance: StoreError? { nil }
  package func settle() async -> Bool { true }
}

/// What a replica is at a moment.
package enum ReplicaStanding: Hashable, Sendable {
  /// - Parameter term: grows from leader to leader.
  case leader(term: Int)
  case follower(of: Leader?)

  /// Who leads, as far as a follower knows.
  package struct Leader: Hashable, Sendable {
    package var term: Int
    package var address: String

    package init(term: Int, address: String) {
      (self.term, self.address) = (term, address)
    }
  }
}

/// What has come into a replica's copy.
package enum ReplicaNews: Sendable {
  case batch(StoreBatch, position: Int)
  /// The copy was read anew as a whole: ``Store/load()`` has what is there.
  case reset(position: Int)
}

/// What a replica tells the others of itself.
package struct ReplicaMember: Codable, Hashable, Sendable {
  /// Of this process.
  package var id = UUID().uuidString.lowercased()
  /// Where the other replicas reach it, an URL without a path.
  package var address: String
  package var host: String
  /// Of the program.
  package var version: String
  /// What it plans by and lets others do, as options by their names.
  package var options: [String: String]

  package init(address: String, host: String = "", version: String = "", options: [String: String] = [:]) {
    (self.address, self.host, self.version, self.options) = (address, host, version, options)
  }
}

/// Another replica, or this one, as its record tells it.
package struct SeenReplica: Hashable, Sendable {
  package var member: ReplicaMember
  /// When its record was seen first.
  package var since: ContinuousClock.Instant

  package init(_ member: ReplicaMember, since: ContinuousClock.Instant) {
    (self.member, self.since) = (member, since)
  }
}
