import ParvaControl
import ParvaHTTP

/// How a replica that follows answers: from what it knows, with the leader's word, or with what others have read.
extension ReplicaPart {
  /// What a follower answers from what it knows.
  func own(
    _ request: HTTPRequest, _ route: Route, _ handle: @escaping @Sendable (HTTPRequest) throws -> Route.Beginning,
    _ follower: Follower
  ) throws -> Route.Beginning {
    guard let fresh = follower.freshAt else { throw Self.notReady }
    if route.method == "GET", !route.isStream, follower.position < tally.shown {
      return .rest { try await behind(request, route, handle, follower) }
    }
    return try Self.ending(request, handle, Self.dated(fresh))
  }

  /// What the leader knows and nobody stores; where it says nothing in time, this replica says what it knows itself, and its age.
  func word(
    _ request: HTTPRequest, _ route: Route, _ handle: @escaping @Sendable (HTTPRequest) throws -> Route.Beginning,
    _ follower: Follower
  ) async throws -> HTTPResponse {
    do {
      return try await PeerLink.answer {
        try await pass(Self.consistent(request), route)
      } until: {
        try? await Task.sleep(for: Self.mostBehind)
      }
    } catch let problem as ProblemDetails where problem.status >= 500 {
      return try await own(request, route, handle, follower).response
    }
  }

  /// The request, as it asks the leader for all that was acknowledged.
  static func consistent(_ request: HTTPRequest) -> HTTPRequest {
    var asked = request
    asked.query.append((parameter, "true"))
    return asked
  }

  func pass(_ request: HTTPRequest, _ route: Route) async throws -> HTTPResponse {
    let leader = leader
    if let sharedAddress { throw ProblemDetails.notLeader(sharedAddress) }
    // What is shown here is not what the leader goes on from.
    if let trouble, trouble.code == .corrupt { throw ProblemDetails(trouble) }
    // Nobody will lead within seconds where etcd has no room.
    if leader == nil, let trouble, trouble.code == .full { throw ProblemDetails(trouble) }
    let isBeat = route.access?.isHeartbeat == true
    let (response, position): PeerLink.Passed
    do {
      (response, position) = try await passed(request, to: leader, isBeat: isBeat)
    } catch let problem as ProblemDetails {
      // What is only read can be asked for again, where there is somebody else to ask.
      guard request.method == "GET", problem.code == StoreError.Code.notLeader.rawValue, let next = self.leader,
        next != leader
      else { throw problem }
      (response, position) = try await passed(request, to: next, isBeat: isBeat)
    }
    // Whoever changes something here reads it here.
    if let position, !isBeat {
      tally.show(position)
      // Another controller may take the place of this one meanwhile, and one that leads knows it.
      let end = ContinuousClock.now + Self.mostBehind
      while let current = tally.follower, .now < end, !Task.isCancelled {
        let isCutOff = current.freshAt.map { $0.duration(to: .now) > .seconds(1) } ?? true
        if await current.wait(for: position, within: .milliseconds(isCutOff ? 50 : 200)) { break }
        let isThere = await fetch(upTo: position)
        // Its reads are the leader's until it hears of the store again.
        if isCutOff, !isThere { break }
      }
    }
    return response
  }

  /// How long a read waits where this replica has shown something newer than it knows and nobody leads.
  private static let mostBehind = Duration.seconds(2)

  /// How long a leader's answer is waited for when it leads no more.
  private static let grace = Duration.seconds(1)

  /// One that was stopped answers nothing, and its connections stay: it is waited for only while it leads.
  private func passed(
    _ request: HTTPRequest, to leader: ReplicaStanding.Leader?, isBeat: Bool
  ) async throws -> PeerLink.Passed {
    guard let link, let store else { throw ProblemDetails.notLeader() }
    return try await PeerLink.answer {
      try await link.pass(request, to: leader, isBeat: isBeat)
    } until: {
      for await standing in store.standings() where !isStill(leader, standing) { break }
      try? await Task.sleep(for: Self.grace)
    }
  }

  /// Has the copy take from other replicas what it lacks up to a position, where etcd does not give it: whether it is there then.
  private func fetch(upTo shown: Int) async -> Bool {
    guard let store, let link, link.seal != nil, tally.beginFetching() else { return false }
    defer { tally.endFetching() }
    let known = [leader?.address].compactMap(\.self) + (census?.members.map(\.address) ?? [])
    let position = store.position
    await withTaskGroup(of: [ReplicaEntry].self) { group in
      for address in Set(known) where address != link.address {
        group.addTask { await link.entries(after: position, at: address) }
      }
      for await entries in group {
        // What cannot be read, the next one may have in another form, or the leader be asked for.
        try? await store.take(entries)
        if store.position >= shown { break }
      }
      group.cancelAll()
    }
    return store.position >= shown
  }

  /// Answers a read of a replica that has passed on something newer than it knows itself, as where etcd is cut off from it and
  /// the leader is not, or away altogether: its answers never go back.
  private func behind(
    _ request: HTTPRequest, _ route: Route, _ handle: @escaping @Sendable (HTTPRequest) throws -> Route.Beginning,
    _ follower: Follower
  ) async throws -> HTTPResponse {
    let (shown, end) = (tally.shown, ContinuousClock.now + Self.mostBehind)
    let asked = Self.consistent(request)
    repeat {
      if tally.follower === follower {
        if await follower.wait(for: shown, within: .milliseconds(200)), let fresh = follower.freshAt {
          return try await Self.ending(request, handle, Self.dated(fresh)).response
        }
        if await fetch(upTo: shown) { continue }
      } else {
        // Another controller answers here by now, maybe the one that leads: it is asked as any leader is.
        try await Task.sleep(for: .milliseconds(20))
      }
      do {
        return try await pass(asked, route)
      } catch let problem as ProblemDetails where problem.code == StoreError.Code.notLeader.rawValue {
        // Another will lead soon, or the copy will be there.
      }
    } while .now < end && !Task.isCancelled
    throw ProblemDetails(
      status: 503, code: "copy_too_old",
      detail: "This replica has answered with something newer than it can read now; ask another one, or again.",
      headers: ["Retry-After": "1"])
  }
}
