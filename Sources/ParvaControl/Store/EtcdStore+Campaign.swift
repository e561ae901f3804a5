import Foundation
import Logging
import ParvaServing
import Synchronization

/// Becoming the leader, staying it, and ceasing in time.
extension EtcdStore {
  /// Waits until nobody leads, tries to, and leads for as long as that goes.
  func campaignOnce() async {
    let (seen, address, isFit) = state.withLock { state in
      // Who is far behind would have nobody lead while it reads what it lacks.
      let isFresh = state.freshAt.map { $0.duration(to: .now) < max(.seconds(3), settings.lease) } ?? false
      let isFit = state.trouble == nil && isFresh && !state.hasWithdrawn && outdated(state.schema) == nil
      return (state.seenTerm, state.address, isFit)
    }
    guard seen == nil, let address, isFit else {
      try? await Task.sleep(for: .milliseconds(20))
      return
    }
    let begun = ContinuousClock.now
    let seconds = max(1, Int(settings.lease.seconds.rounded(.up)))
    let grant: EtcdClient.Lease
    do throws(EtcdClient.Failure) {
      grant = try await client.grantLease(seconds: seconds)
    } catch {
      // Without room there is no lease, so that nobody can lead: that is told as what it is.
      if case .refused = error { state.withLock { $0.electionTrouble = StoreError(error) } }
      try? await Task.sleep(for: .milliseconds(100))
      return
    }
    state.withLock { $0.electionTrouble = nil }
    guard let time = grant.seconds else {
      // A lease of unknown length is of no use.
      await client.revokeLease(grant.id)
      try? await Task.sleep(for: .seconds(1))
      return
    }
    if let term = await elected(address, grant.id) {
      let watching = state.withLock { state in
        (state.isCampaigning, state.holdsKey, state.prepared) = (true, true, nil)
        state.leadsUntil = begun + Self.safe(time)
        state.led = (term, begun + Self.safe(time))
        return state.watching
      }
      watching?.cancel()
      let preparing = Task { await prepare(term) }
      let why = await lead(term, grant.id)
      preparing.cancel()
      await preparing.value
      // From now on somebody else may lead, once the key is given back.
      state.withLock { state in
        let until = min(state.led?.until ?? .now, .now)
        state.led = (term, until)
      }
      logger?.notice("leading no more", metadata: ["term": "\(term)", "error": "\(why)"])
      // Nobody else can lead before this, as long as the lease lasts or its end is not told.
      tell(.follower(of: nil))
      appends.end(term)
      state.withLock { state in
        (state.isCampaigning, state.leadsUntil) = (false, nil)
        // Until the next answer tells who leads.
        state.seenTerm = term
      }
    }
    await client.revokeLease(grant.id)
    state.withLock { ($0.holdsKey, $0.isResigning) = (false, false) }
  }

  /// How long after a request that renewed the lease nobody else can lead.
  private static func safe(_ seconds: Int) -> Duration { .seconds(seconds) * 9 / 10 }

  private func elected(_ address: String, _ lease: String) async -> Int? {
    let entry = EtcdEntry(nonce: .random(in: 0...UInt64.max), bytes: Data(address.utf8))
    for _ in 0..<3 {
      do {
        let answer = try await client.transaction(
          if: [EtcdClient.created(keys.leader, at: 0)],
          then: [EtcdClient.put(keys.leader, entry.value, lease: lease)], else: [EtcdClient.range(keys.leader)])
        if answer.succeeded == true { return answer.header.revision.flatMap { Int($0) } }
        // An attempt without an answer may have been the one.
        let row = answer.responses?.first?.responseRange?.kvs?.first
        return row?.value == entry.value ? row?.createRevision.flatMap { Int($0) } : nil
      } catch {
        try? await Task.sleep(for: .milliseconds(50))
      }
    }
    return nil
  }

  /// Reads what was committed before the term; nobody can add to it any more. The lease is kept meanwhile, however much it is.
  private func prepare(_ term: Int) async {
    do throws(StoreError) {
      try await readAll(before: term)
      try await raiseSchema(in: term)
      state.withLock { $0.prepared = .success(()) }
    } catch {
      if error.code != .unavailable, error.code != .notLeader { note(error) }
      state.withLock { $0.prepared = .failure(error) }
    }
  }

  private func readAll(before term: Int) async throws(StoreError) {
    while true {
      do throws(StoreError) {
        if try await catchUp() { break }
      } catch {
        guard error.code == .unavailable else { throw error }
        try? await Task.sleep(for: .milliseconds(20))
      }
      if Task.isCancelled { throw EtcdAppends.notLeader }
    }
    guard state.withLock(\.seenTerm) == term else { throw EtcdAppends.notLeader }
  }

  /// Leads as soon as everything is read, and renews the lease until that fails for too long, an append finds out that another
  /// leads, or the store is closed.
  ///
  /// - Returns: why it leads no more.
  private func lead(_ term: Int, _ lease: String) async -> String {
    let pause = settings.lease / 3
    // The election and the reading after it have taken of the lease.
    var renewed = ContinuousClock.now - pause
    var problem = "etcd was not asked in time"
    // Who reads nothing for long would only keep others from leading.
    var (read, readAt) = (position, ContinuousClock.now)
    var leads = false
    while true {
      let begun = ContinuousClock.now
      let (left, isEnding, prepared) = state.withLock { state in
        (
          state.leadsUntil.map { begun.duration(to: $0) } ?? .zero,
          // It may have been elected after it withdrew.
          state.isClosed || state.isResigning || state.hasWithdrawn, state.prepared
        )
      }
      if isEnding { return "it is given up" }
      // Before it leads, what etcd says of the lease is enough: election and reading may have taken all of it here.
      if left <= .zero, leads || readAt.duration(to: begun) > settings.lease * 2 {
        return "the lease was not renewed: \(problem)"
      }
      switch prepared {
      case .success?:
        if !leads, left > .zero {
          leads = true
          appends.begin(term)
          tell(.leader(term: term))
        }
        if leads, appends.isLost(term) { return "another leads, or its key is gone from etcd" }
      case .failure(let error)?: return "what was committed before could not be read: \(error.message)"
      case nil:
        if position != read { (read, readAt) = (position, begun) }
        if readAt.duration(to: begun) > settings.lease * 2 {
          return "what was committed before could not be read in time"
        }
      }
      if renewed.duration(to: begun) >= pause {
        do throws(EtcdClient.Failure) {
          // Whoever waits longer than the lease is sure of leads on beside another.
          let patience = leads ? min(left, client.patience) : client.patience
          guard let time = try await client.keepLease(lease, patience: patience) else {
            return "etcd has ended the lease"
          }
          state.withLock { state in
            state.leadsUntil = begun + Self.safe(time)
            state.led = (term, begun + Self.safe(time))
          }
          renewed = begun
        } catch {
          problem = StoreError(error).message
          if case .refused = error { return problem }
        }
      }
      try? await Task.sleep(for: .milliseconds(20))
    }
  }

  func withdraw() async {
    state.withLock { $0.hasWithdrawn = true }
    await resign()
  }

  /// Returns once another replica can lead, or after two seconds in which etcd did not take the key back; the term ends all the same.
  func resign() async {
    guard
      state.withLock({ state in
        state.isResigning = state.holdsKey
        return state.holdsKey
      })
    else { return }
    let end = ContinuousClock.now + .seconds(2)
    while state.withLock(\.holdsKey), .now < end { try? await Task.sleep(for: .milliseconds(5)) }
  }
}
