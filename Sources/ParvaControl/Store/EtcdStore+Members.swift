import Foundation
import GRDB
import Logging
import ParvaServing
import Synchronization

/// Records of who takes part, and by which schema.
extension EtcdStore {
  /// Grows with the entries of the log and with the tables of snapshots: both of these only ever do.
  static let schema = BatchDocument.current * 1000 + SQLiteStore.Schema.migrator.migrations.count

  /// How long the record of a replica stays that has gone without taking it away.
  static let memberTime = Duration.seconds(10)
  private static let mostMembers = 64

  // MARK: - The schema

  static func written(_ schema: Int) -> Data { Data(String(schema).utf8) }

  /// - Throws: `store_corrupt` for what is no number.
  func noteSchema(_ row: EtcdClient.KeyValue?) throws(StoreError) {
    guard let row else { return state.withLock { $0.schema = 0 } }
    guard let schema = row.value.flatMap({ String(data: $0, encoding: .utf8) }).flatMap({ Int($0) }) else {
      throw StoreError(.corrupt, "\(keys.schema), the number of the store's schema, cannot be read.")
    }
    let before = state.withLock { state in
      defer { state.schema = schema }
      return state.schema
    }
    guard schema != before, let outdated = outdated(schema) else { return }
    logger?.warning("this replica does not lead any more", metadata: ["error": "\(outdated)"])
  }

  /// Why this version may not lead on what a newer one has led on; nil where it may.
  func outdated(_ schema: Int) -> StoreError? {
    guard schema > settings.schema else { return nil }
    return StoreError(
      .tooNew,
      "A newer version of Parva has led on this store (schema \(schema), this one has \(settings.schema)): this replica follows for "
        + "as long as it can read what is new, and leads again when it is upgraded.")
  }

  var hindrance: StoreError? { outdated(state.withLock(\.schema)) }

  /// Says in the name of a term by which schema is written from now on. Older versions do not lead after that.
  func raiseSchema(in term: Int) async throws(StoreError) {
    guard state.withLock(\.schema) < settings.schema else { return }
    try await certainly(
      in: term, position: 0, nonce: nil, if: [], then: [EtcdClient.put(keys.schema, Self.written(settings.schema))])
    state.withLock { $0.schemaWritten = .now }
  }

  /// Has the number be there as long as this replica leads: somebody may have deleted it, and older versions could lead next.
  ///
  /// - Parameter begun: when the reading began that the last word on it is from.
  func keepSchema(_ begun: ContinuousClock.Instant) async {
    let term = state.withLock { state -> Int? in
      guard case .leader(let term) = state.standing, state.schema < settings.schema,
        state.schemaWritten.map({ $0 < begun }) ?? true
      else { return nil }
      return term
    }
    guard let term else { return }
    // What fails is tried again after the next reading.
    let put = try? await client.transaction(
      if: [EtcdClient.created(keys.leader, at: term)],
      then: [EtcdClient.put(keys.schema, Self.written(settings.schema))])
    guard put?.succeeded == true else { return }
    state.withLock { $0.schemaWritten = .now }
    logger?.warning(
      "the number of the store's schema was taken back in etcd; it is written again",
      metadata: ["key": "\(keys.schema)", "schema": "\(settings.schema)"])
  }

  // MARK: - Members

  private static let noRoom = StoreError(
    .full, "etcd has no room left (its alarm NOSPACE): give it some by etcdctl compact, defrag and alarm disarm.")

  var members: [SeenReplica] { state.withLock(\.members) }

  /// Renews this replica's record, reads those of all, and rests. What fails is tried again the next time: nothing hangs on it.
  func joinOnce(as member: ReplicaMember) async {
    let own = state.withLock(\.memberLease)
    var lease = own
    if let own {
      // What could not be asked says nothing.
      do { if try await client.keepLease(own) == nil { lease = nil } } catch {}
    }
    if lease == nil {
      let seconds = Self.memberTime.components.seconds
      let grant = try? await client.grantLease(seconds: Int(seconds))
      let encoder = JSONEncoder()
      encoder.outputFormatting = .sortedKeys
      if let grant, let record = try? encoder.encode(member) {
        let put = EtcdClient.put(keys.member(member.id), record, lease: grant.id)
        if (try? await client.transaction(if: [], then: [put]))?.succeeded == true { lease = grant.id }
      }
    }
    // What could not be asked says nothing.
    if let hasRoom = try? await client.hasRoom() {
      state.withLock { $0.alarm = hasRoom ? nil : Self.noRoom }
    }
    let answer = try? await client.read([
      EtcdClient.range(keys.members.from, to: keys.members.to, limit: Self.mostMembers)
    ])
    let records = answer.map { answer in
      // Those of other versions may be none that this one can read; that they lead or follow is seen elsewhere.
      (answer.rows[0].kvs ?? []).compactMap { row in
        row.value.flatMap { try? JSONDecoder().decode(ReplicaMember.self, from: $0) }
      }
    }
    // Somebody else may have deleted it: then it is written anew, and the lease that nothing renews ends by itself.
    if let records, !records.contains(where: { $0.id == member.id }) { lease = nil }
    state.withLock { [lease] state in
      state.memberLease = lease
      guard let records else { return }
      let known = Dictionary(state.members.map { ($0.member.id, $0.since) }) { first, _ in first }
      state.members = records.map { SeenReplica($0, since: known[$0.id] ?? .now) }
    }
    // Soon where it is not there yet.
    try? await Task.sleep(for: lease == nil || records == nil ? .seconds(1) : Self.memberTime * 3 / 10)
  }

  /// Takes this replica's record away, so that who comes in its place is not taken for a second one.
  func leave() async {
    guard let lease = state.withLock(\.memberLease) else { return }
    await client.revokeLease(lease)
  }
}
