package import ParvaControl
package import ParvaHTTP

/// What a controller is among its replicas: who answers a request, and what an answer says of that.
package struct ReplicaPart: Sendable {
  enum Role: Sendable {
    /// There is no other.
    case alone
    case leads(term: Int, Controller)
    case follows(Follower)
  }

  let role: Role
  let link: PeerLink?
  let store: (any ReplicatedStore)?
  private let epoch: Int
  /// How old a follower's copy may be before it is not ready any more.
  let mostStaleness: Duration
  let tally: ReplicaTally
  /// Nil where there is no other.
  let census: ReplicaCensus?

  package static let alone = ReplicaPart(
    role: .alone, link: nil, store: nil, epoch: 0, mostStaleness: .zero, tally: ReplicaTally(), census: nil)

  init(
    role: Role, link: PeerLink?, store: (any ReplicatedStore)?, epoch: Int, mostStaleness: Duration,
    tally: ReplicaTally, census: ReplicaCensus?
  ) {
    (self.role, self.link, self.store, self.epoch) = (role, link, store, epoch)
    (self.mostStaleness, self.tally, self.census) = (mostStaleness, tally, census)
  }

  // MARK: - What it is

  package var name: String? {
    switch role {
    case .alone: nil
    case .leads: "leader"
    case .follows: "follower"
    }
  }

  /// For every answer.
  package var fields: HTTPHeaders { name.map { ["Parva-Role": $0] } ?? [:] }

  /// Who leads as far as this replica knows: this one itself, too, while the controller that is to lead here is being made.
  var leader: ReplicaStanding.Leader? {
    switch (role, store?.standing) {
    case (.leads(let term, _), _), (.follows, .leader(let term)?):
      ReplicaStanding.Leader(term: term, address: link?.address ?? "")
    case (_, .follower(let leader)?): leader
    default: nil
    }
  }

  /// What is wrong where whoever leads advertises the address of this replica, which follows; nil elsewhere.
  var sharedAddress: String? {
    guard case .follows = role, case .follower(let leader?)? = store?.standing, leader.address == link?.address else {
      return nil
    }
    return
      "The replica that leads advertises \(leader.address), the address of this one, which does not lead. "
      + "Where this one was just started anew, that ends with its lease; else two replicas share an --advertise: give each its own."
  }

  /// Whether `leader` is still who leads, as told by `standing`.
  func isStill(_ leader: ReplicaStanding.Leader?, _ standing: ReplicaStanding) -> Bool {
    switch standing {
    case .follower(let now): now == leader
    case .leader(let term): leader == ReplicaStanding.Leader(term: term, address: link?.address ?? "")
    }
  }

  /// In which it leads, as nodes are told it.
  var term: Int? { leader.map { epoch + $0.term } }

  /// Age of what a follower knows; nil for a leader, and where it has never known all.
  var staleness: Duration? {
    guard case .follows(let follower) = role else { return nil }
    return follower.freshAt?.duration(to: .now)
  }

  /// How many commits it knows; nil where there is no other replica.
  var position: Int? {
    if case .follows(let follower) = role { return follower.position }
    return store?.position
  }

  var trouble: StoreError? { store?.trouble }

  /// Why the replica that leads writes nothing, where this one follows.
  var leaderTrouble: StoreError? {
    guard case .follows = role else { return nil }
    return tally.leaderTrouble
  }

  // MARK: - Who answers

  /// The gate of its routes: before `gate`, which asks who somebody is, it is seen who has passed a request on.
  package func guarding(_ gate: @escaping Router.Gate) -> Router.Gate {
    let seal = link?.seal
    return { request, route throws(ProblemDetails) in
      try PeerGate.open(&request, seal)
      try gate(&request, route)
    }
  }

  /// What is worth waiting for where a caller was refused: a token may have come just now.
  package func pausing(_ pause: Router.Pause?) -> Router.Pause? {
    guard case .follows(let follower) = role else { return pause }
    return { request, route in
      if let wait = pause?(request, route) { return wait }
      guard request.headers["Authorization"]?.contains(TokenSecret.prefix) == true else { return nil }
      return { _ = await follower.catchUp(within: .seconds(1)) }
    }
  }

  /// Routes for the other replicas.
  package func peerRoutes(_ controller: Controller) -> [Route] {
    guard let census else { return [] }
    let routes = [PeerExchange.who(census.own.id, self)] + (store.map { [PeerExchange.log($0, self)] } ?? [])
    guard case .leads = role else { return routes }
    return routes + [PeerExchange.route(controller, self)]
  }

  static let parameter = "consistent"
  typealias End = @Sendable (inout HTTPHeaders) throws(ProblemDetails) -> Void

  /// Whether what is answered without a commit is so: nobody else can have led up to now.
  var isSure: Bool {
    guard case .leads(let term, _) = role else { return true }
    return store?.isSurelyLeader(in: term) == true
  }

  /// The route as this replica answers it.
  func placed(_ route: Route) -> Route {
    var placed = route
    switch route.handler {
    case .inline(let handle): placed.handler = .begun { try begin($0, route) { .answer(try handle($0)) } }
    case .begun(let handle): placed.handler = .begun { try begin($0, route, handle) }
    case .async(let handle):
      placed.handler = .async { request in
        try await begin(request, route) { request in .rest { try await handle(request) } }.response
      }
    }
    return placed
  }

  private func begin(
    _ request: HTTPRequest, _ route: Route, _ handle: @escaping @Sendable (HTTPRequest) throws -> Route.Beginning
  ) throws -> Route.Beginning {
    guard route.pattern.hasPrefix("/v1/") || route.pattern.hasPrefix("/v3/") else { return try handle(request) }
    var request = request
    let isConsistent = try Self.takeWish(from: &request)
    if isConsistent, route.isStream {
      throw ProblemDetails.parameter(
        Self.parameter, "is not for streams: what they tell of comes when this replica knows it")
    }
    let isPassedOn = request.headers[PeerSeal.by] != nil
    if isPassedOn { try take(request) }
    switch role {
    case .alone: return try handle(request)
    case .leads(let term, let controller):
      let end: End = { headers throws(ProblemDetails) in
        let isSure = store?.isSurelyLeader(in: term) == true
        // What changes something is stored in the term, or it is not; beats are not, and what they say may be old.
        if !isSure, isConsistent || route.access?.isHeartbeat == true {
          throw .notLeader("Another replica may lead by now.")
        }
        // One that was stopped for a while may have been replaced: what it knows is as old as a follower's.
        // The copy goes on meanwhile, what answers here does not.
        if !isSure, route.method == "GET" {
          guard let until = store?.sureUntil(in: term) else { throw .notLeader("Another replica may lead by now.") }
          headers["Parva-Staleness"] = Self.seconds(until.duration(to: .now))
        }
        if isPassedOn, let position { headers[PeerSeal.position] = String(position) }
      }
      guard isConsistent, route.method == "GET" else { return try Self.ending(request, handle, end) }
      return .rest { [request] in
        // What a follower may have shown is in the answer, too.
        guard await store?.settle() ?? true else { throw ProblemDetails.notLeader("Another replica may lead by now.") }
        await controller.settle()
        return try await Self.ending(request, handle, end).response
      }
    case .follows(let follower):
      if isConsistent || route.isLeaders {
        if isConsistent { request = Self.consistent(request) }
        return .rest { [request] in try await pass(request, route) }
      }
      if route.isLeadersWord { return .rest { [request] in try await word(request, route, handle, follower) } }
      return try own(request, route, handle, follower)
    }
  }

  /// Takes what another replica has passed on: one hop, since whoever did took this one for the leader.
  ///
  /// - Throws: 503 `not_leader`, 403 `peer_unverified`.
  func take(_ request: HTTPRequest) throws(ProblemDetails) {
    switch role {
    case .alone: return
    case .leads(let term, _):
      guard let link else { return }
      try link.seal?.take(request, as: ReplicaStanding.Leader(term: term, address: link.address))
    case .follows: throw .notLeader("This replica does not lead.")
    }
  }

  /// - Throws: 400 `invalid_parameter`, `repeated_parameter`.
  private static func takeWish(from request: inout HTTPRequest) throws(ProblemDetails) -> Bool {
    guard !request.query.isEmpty else { return false }
    let given = request.query.count { $0.name == parameter }
    guard given > 0 else { return false }
    guard given == 1 else { throw .parameter(parameter, "is given more than once", code: "repeated_parameter") }
    let isConsistent = try request.flag(parameter)
    request.query.removeAll { $0.name == parameter }
    return isConsistent
  }

  /// Says how old that is which an answer was made of.
  static func dated(_ fresh: ContinuousClock.Instant) -> End {
    { headers throws(ProblemDetails) in headers["Parva-Staleness"] = seconds(fresh.duration(to: .now)) }
  }

  /// Has an answer, refusals included, carry what is known when it is made.
  static func ending(
    _ request: HTTPRequest, _ handle: (HTTPRequest) throws -> Route.Beginning,
    _ end: @escaping End
  ) throws -> Route.Beginning {
    @Sendable func ended(_ response: HTTPResponse) throws -> HTTPResponse {
      var response = response
      try end(&response.headers)
      return response
    }
    @Sendable func ended(_ error: any Error) throws -> any Error {
      guard var problem = error as? ProblemDetails else { return error }
      try end(&problem.headers)
      return problem
    }
    do {
      switch try handle(request) {
      case .answer(let response): return .answer(try ended(response))
      case .rest(let rest):
        return .rest {
          let response: HTTPResponse
          do {
            response = try await rest()
          } catch {
            throw try ended(error)
          }
          return try ended(response)
        }
      }
    } catch {
      throw try ended(error)
    }
  }

  static let notReady = ProblemDetails(
    status: 503, code: "copy_not_ready",
    detail: "This replica has not read everything yet that the others have; ask another one, or again.",
    headers: ["Retry-After": "1"])

  /// With milliseconds, rounded up.
  static func seconds(_ duration: Duration) -> String {
    let milliseconds = max(0, Int((duration / .milliseconds(1)).rounded(.up)))
    let rest = String(milliseconds % 1000)
    return "\(milliseconds / 1000)." + String(repeating: "0", count: 3 - rest.count) + rest
  }
}

extension Route {
  /// Whether its answer goes on without end, and tells of what comes.
  var isStream: Bool { pattern.hasSuffix("/events") }

  /// Whether the leader alone can answer it: it may change something.
  fileprivate var isLeaders: Bool {
    method != "GET" && !pattern.hasPrefix("/v3/") && pattern != "/v1/plan/preview"
  }

  /// Whether it tells of what whoever leads does and nobody stores: what applies by itself and what is held; tries, and what waits.
  fileprivate var isLeadersWord: Bool {
    method == "GET"
      && (pattern == "/v1/fleet" || pattern.hasPrefix("/v1/webhooks") && !pattern.hasSuffix("/dead-letters"))
  }
}
