import Foundation
import ParvaControl
import ParvaFormats
import ParvaHTTP
import ParvaServing
import ParvaWire

/// `/v1/endpoints` and what tells of one workload's or one segment's servers.
struct EndpointHandlers: Sendable {
  /// Longest wait that a client may ask for, in seconds.
  static let maxWait = 60

  let traffic: TrafficBoard
  let registry: DemandRegistry
  let bodies = EndpointBodies()

  /// Every server there is, or those of one workload; with `after`, once the version is another one.
  func list(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery("workload", "after", "wait")
    return try await answer(request, request.queryValue("workload").map { request.space.id($0) })
  }

  func ofWorkload(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery("after", "wait")
    let id = request.workloadID
    let isKnown = registry.read { $0.registrations[id] != nil }
    guard isKnown || !traffic.shown(traffic.view).table[id].isEmpty else {
      throw ProblemDetails(
        status: 404, code: "not_found", detail: "There is no workload \(request.space.told(id).prefix(300)).")
    }
    return try await answer(request, id)
  }

  private func answer(_ request: HTTPRequest, _ workload: String?) async throws -> HTTPResponse {
    let after = request.queryValue("after")
    let seconds = try request.integer("wait", in: 0...Self.maxWait, default: after == nil ? 0 : 10)
    let space = request.space
    let format = try request.preferred(space.name == nil ? [.json, .table] : [.json])
    if !traffic.isCurrent { await traffic.refresh() }
    let found = await traffic.wait(for: .seconds(seconds)) { [traffic] view in
      let view = traffic.shown(view)
      return view.isSettled && after.map { Self.version(of: view, space) != $0 } ?? true
    }
    let view = traffic.shown(found)
    guard view.isSettled else { throw ProblemDetails.unsettled }
    let body = try bodies.body(view, workload, as: format, in: space)
    var response = HTTPResponse(status: 200, contentType: format.contentType, body: body.bytes)
    response.headers["Vary"] = "Accept"
    response.headers["ETag"] = body.tag
    return request.unlessFresh(response, isKnown: after.map { $0 == Self.version(of: view, space) } ?? false)
  }

  /// Changes with what there is in the space.
  private static func version(of view: TrafficBoard.View, _ space: Space) -> String {
    space.name.map { view.table.part(of: $0).version } ?? view.table.version
  }

  /// An event with all endpoints for every change; begins with what is, unless `Last-Event-ID` says that the client has it.
  func stream(_ request: HTTPRequest) throws -> HTTPResponse {
    try request.allowQuery("workload")
    try EventStream.accepted(by: request)
    let (traffic, bodies, space, given) = (traffic, bodies, request.space, request.headers["Last-Event-ID"])
    let workload = request.queryValue("workload").map { space.id($0) }
    return EventStream.response { writer in
      var last = given
      try await writer.sendComment("endpoints")
      while !traffic.isClosed {
        let known = last
        let found = await traffic.wait(for: .seconds(EventStream.heartbeat)) {
          let view = traffic.shown($0)
          return view.isSettled && Self.version(of: view, space) != known
        }
        let view = traffic.shown(found)
        let version = Self.version(of: view, space)
        if view.isSettled, version != known {
          last = version
          let data = try bodies.body(view, workload, as: .json, in: space).bytes
          try await writer.send(
            event: "endpoints", id: version, data: String(decoding: data.dropLast(), as: UTF8.self))
        } else if !traffic.isClosed {
          try await writer.sendComment("still here")
        }
      }
    }
  }

  /// Takes over where the servers of a segment are that somebody else has started; an empty list takes them away.
  func put(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    let source = try request.input()
    let told: ToldEndpoints
    do {
      told = try ToldEndpointsReader.read(source)
    } catch {
      throw ProblemDetails(error)
    }
    let segment = request.workloadID
    do throws(TrafficBoard.Refusal) {
      try await traffic.tell(segment, told.endpoints)
    } catch {
      switch error {
      case .unknownSegment:
        throw ProblemDetails(
          status: 404, code: "not_found",
          detail: "No node has verified a segment \(request.space.told(segment).prefix(300)).")
      case .launched:
        throw ProblemDetails(
          status: 409, code: "launched_by_node",
          detail: "The servers of this segment are started by its node, which tells where they are.")
      case .full:
        throw ProblemDetails(
          status: 409, code: "too_many_endpoints",
          detail: "This controller keeps at most \(TrafficBoard.mostTold) servers that it is told.")
      case .storeFailed(let error): throw ProblemDetails(error)
      }
    }
    return try .json(200, told)
  }
}
