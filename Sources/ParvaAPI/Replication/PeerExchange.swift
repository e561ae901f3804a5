import Foundation
import ParvaControl
import ParvaHTTP
import ParvaWire

/// What the replicas tell each other beside the store: endpoints hang on every heartbeat and on what is drained this moment, of
/// which the store holds little; so those of the leader are everybody's.
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
  }

  struct Answer: Codable, Sendable {
    var edition: Int
    /// Nil while the leader does not know yet where its nodes' servers are: what a follower has stays.
    var endpoints: [EndpointDocument]?
    /// Workloads that are to have endpoints.
    var workloads: [String]

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

  /// Says who is reached at an address, to other replicas alone.
  static func who(_ id: String, _ part: ReplicaPart) -> Route {
    var route = Route(
      "GET", whoPath,
      .inline { request in
        guard request.headers[PeerSeal.by] != nil, part.link?.seal?.isRight(request) ?? true else {
          throw PeerGate.unverified
        }
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
    guard request.headers[PeerSeal.by] != nil, part.link?.seal?.isRight(request) ?? true else {
      throw PeerGate.unverified
    }
    try part.take(request)
    guard let word = try? JSONDecoder().decode(Word.self, from: request.body) else {
      throw ProblemDetails(status: 400, code: "invalid_json", detail: "This is for replicas of one controller.")
    }
    controller.tokens.note(word.uses.mapValues { Date(timeIntervalSince1970: $0) })
    let view = await controller.traffic.wait(for: hold) { $0.isSettled && $0.edition != word.after }
    let table = view.table
    let answer = Answer(
      edition: view.edition, endpoints: view.isSettled ? table.endpoints.map(\.document) : nil,
      workloads: table.workloads)
    return HTTPResponse(
      status: 200, contentType: "application/json", body: try JSONEncoder().encode(answer))
  }

  /// The follower's side: has its board show what the leader's does, until the task is cancelled.
  static func follow(
    _ leader: @escaping @Sendable () -> ReplicaStanding.Leader?, _ link: PeerLink, for controller: Controller,
    _ tally: ReplicaTally
  ) async {
    var (of, edition) = (ReplicaStanding.Leader?.none, -1)
    tally.heardAt = nil
    while !Task.isCancelled {
      let now = leader()
      if now != of { (of, edition, tally.heardAt) = (now, -1, now.map { _ in .now }) }
      let began = ContinuousClock.now
      if let now, now.address != link.address {
        let uses = controller.tokens.takeUses()
        let word = Word(after: edition, uses: uses.mapValues(\.timeIntervalSince1970))
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
