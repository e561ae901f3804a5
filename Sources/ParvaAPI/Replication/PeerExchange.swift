import Foundation
import ParvaControl
import ParvaHTTP
import ParvaWire

/// What the replicas tell each other beside the store: endpoints hang on every heartbeat and on what is drained this moment, of
/// which the store holds little; so those of the leader are everybody's. So is what ails its planning and its writing.
enum PeerExchange {
  static let (path, whoPath, logPath) = ("/replication/exchange", "/replication/who", "/replication/log")
  /// How long the leader holds its answer while there is nothing new.
  static let hold = Duration.seconds(10)

  /// After so long without a word the leader's endpoints may be others than those that are shown.
  static let mostSilence = hold + .seconds(3)

  /// What a follower says.
  struct Word: Codable, Sendable {
    /// The edition that it has; -1 for none.
    var after: Int
    /// When tokens were used there, in seconds since 1970, by id.
    var uses: [String: Double]
    /// What it has heard last.
    var told: Told?
  }

  /// What ails the leader and lasts while it leads.
  struct Told: Codable, Hashable, Sendable {
    struct Trouble: Codable, Hashable, Sendable {
      var code: String
      var message: String

      /// Nil for a code of another version.
      var error: StoreError? { StoreError.Code(rawValue: code).map { StoreError($0, message) } }
    }

    var planning: PlanningWord?
    /// Why its store takes no writes.
    var store: Trouble?

    init() {}

    init(_ controller: Controller) {
      planning = controller.board.view.word
      // A leader that does not reach the store leads no more soon.
      guard let trouble = controller.store.trouble, [.full, .failed].contains(trouble.code) else { return }
      store = Trouble(code: trouble.code.rawValue, message: trouble.message)
    }
  }

  struct Answer: Codable, Sendable {
    var edition: Int
    /// Nil where the follower has this edition, and while the leader does not know yet where its nodes' servers are: what a follower has
    /// stays.
    var endpoints: [EndpointDocument]?
    /// Workloads that are to have endpoints.
    var workloads: [String]
    var told: Told?

    /// Nil where an endpoint is none.
    var table: EndpointTable? {
      guard let endpoints else { return nil }
      let read = endpoints.compactMap { Endpoint($0) }
      return read.count == endpoints.count ? EndpointTable(read, workloads: Set(workloads)) : nil
    }
  }

  /// The leader's side, for its own peers alone: no part of the interface for others.
  static func route(_ controller: Controller, _ part: ReplicaPart) -> Route {
    var route = Route("POST", path, bodyLimit: 8 << 20, .async { try await answer($0, controller, part) })
    // It looks itself who asks.
    route.access = .anyone
    return route
  }

  /// - Throws: 403 `peer_unverified` for what no replica sends.
  private static func check(_ request: HTTPRequest, _ part: ReplicaPart) throws(ProblemDetails) {
    guard request.headers[PeerSeal.by] != nil, part.link?.seal?.isRight(request) ?? true else {
      throw PeerGate.unverified
    }
  }

  /// Says who is reached at an address, to other replicas alone.
  static func who(_ id: String, _ part: ReplicaPart) -> Route {
    var route = Route(
      "GET", whoPath,
      .inline { request in
        try check(request, part)
        return HTTPResponse(status: 200, contentType: "text/plain", body: Data(id.utf8))
      })
    route.access = .anyone
    return route
  }

  /// Gives another replica what this one's copy has after a position. There are secrets in it: without one that replicas have in
  /// common nobody is given anything.
  static func log(_ store: any ReplicatedStore, _ part: ReplicaPart) -> Route {
    var route = Route(
      "GET", logPath,
      .async { request in
        guard let link = part.link, let seal = link.seal, seal.isRight(request) else { throw PeerGate.unverified }
        try seal.take(request, as: PeerLink.anyone(at: link.address))
        let position = try request.integer("after", in: 0...Int.max)
        let entries = try await store.entries(after: position ?? 0)
        return HTTPResponse(
          status: 200, contentType: "application/json", body: try JSONEncoder().encode(entries))
      })
    route.access = .anyone
    return route
  }

  private static func answer(
    _ request: HTTPRequest, _ controller: Controller, _ part: ReplicaPart
  ) async throws -> HTTPResponse {
    try check(request, part)
    try part.take(request)
    guard let word = try? JSONDecoder().decode(Word.self, from: request.body) else {
      throw ProblemDetails(status: 400, code: "invalid_json", detail: "This is for replicas of one controller.")
    }
    controller.tokens.note(word.uses.mapValues { Date(timeIntervalSince1970: $0) })
    let (view, told) = await news(word, of: controller)
    let table = view.table
    let hasChanged = isNew(view, to: word)
    let answer = Answer(
      edition: view.edition, endpoints: hasChanged ? table.endpoints.map(\.document) : nil,
      workloads: hasChanged ? table.workloads : [], told: told)
    return HTTPResponse(
      status: 200, contentType: "application/json", body: try JSONEncoder().encode(answer))
  }

  private static func isNew(_ view: TrafficBoard.View, to word: Word) -> Bool {
    view.isSettled && view.edition != word.after
  }

  /// What there is, as soon as there is something that the follower does not have, or after ``hold``.
  private static func news(_ word: Word, of controller: Controller) async -> (TrafficBoard.View, Told) {
    let (end, known) = (ContinuousClock.now + hold, word.told ?? Told())
    while true {
      let (view, told) = (controller.traffic.view, Told(controller))
      let isOver = ContinuousClock.now >= end || Task.isCancelled || controller.board.isClosed
      if isOver || told != known || isNew(view, to: word) { return (view, told) }
      await withTaskGroup(of: Void.self) { group in
        // What ails the store rings no bell.
        let pause = min(.seconds(1), ContinuousClock.now.duration(to: end))
        group.addTask { _ = await controller.traffic.wait(for: pause) { isNew($0, to: word) } }
        group.addTask { _ = await controller.board.wait(for: pause) { $0.word != known.planning } }
        await group.next()
        group.cancelAll()
      }
    }
  }

  /// The follower's side: has its boards show what the leader's do, until the task is cancelled.
  static func follow(
    _ leader: @escaping @Sendable () -> ReplicaStanding.Leader?, _ link: PeerLink, for controller: Controller,
    _ tally: ReplicaTally
  ) async {
    var (of, edition, told) = (ReplicaStanding.Leader?.none, -1, Told())
    (tally.heardAt, tally.leaderTrouble) = (nil, nil)
    while !Task.isCancelled {
      let now = leader()
      if now != of {
        (of, edition, tally.heardAt) = (now, -1, now.map { _ in .now })
        (told.store, tally.leaderTrouble) = (nil, nil)
      }
      let began = ContinuousClock.now
      if let now, now.address != link.address {
        let uses = controller.tokens.takeUses()
        let word = Word(after: edition, uses: uses.mapValues(\.timeIntervalSince1970), told: told)
        let answer = try? await PeerLink.answer {
          await link.exchange(word, with: now)
        } until: {
          // Nobody leads for a moment at every change; who led goes on telling until another does.
          while leader().map({ $0 == now }) ?? true, (try? await Task.sleep(for: .milliseconds(100))) != nil {}
        }
        if let answer {
          tally.heardAt = .now
          if let table = answer.table { controller.traffic.mirror(table) }
          if answer.endpoints != nil { edition = answer.edition }
          told = answer.told ?? Told()
          controller.follower?.hear(told.planning)
          tally.leaderTrouble = told.store?.error
        } else {
          controller.tokens.keep(uses: uses)
        }
      }
      // Not in a frenzy where the leader answers at once that it has nothing.
      let rest = Duration.milliseconds(now == nil ? 100 : 50) - began.duration(to: .now)
      if rest > .zero { try? await Task.sleep(for: rest) }
    }
  }
}
