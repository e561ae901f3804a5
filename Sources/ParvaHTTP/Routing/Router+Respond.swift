import Foundation
import Logging

extension Router {
  /// Answers one request, whatever happens: problems as `application/problem+json`, anything else thrown as a logged
  /// 500 that tells the client nothing but the request's id.
  package func respond(to request: HTTPRequest) async -> HTTPResponse {
    var request = request
    request.identify()
    var resolution = resolve(&request)
    if case .wait(let wait) = resolution {
      await wait()
      resolution = resolve(&request, mayWait: false)
    }
    let response = await answer(&request, resolution)
    return finish(response, of: request)
  }

  /// What a request comes to that has waited, or need not.
  private func answer(_ request: inout HTTPRequest, _ resolution: Resolution) async -> HTTPResponse {
    switch resolution {
    case .answer(let ready): return ready
    case .route(let index):
      let route = routes[index]
      guard request.body.count <= route.bodyLimit else {
        return ProblemDetails.bodyTooLarge(limit: route.bodyLimit).response(requestID: request.requestID)
      }
      return await run(index, request)
    case .wait: return Self.tryAgain.response(requestID: request.requestID)
    }
  }

  /// For who may not wait for what the gate has to find out.
  static let tryAgain = ProblemDetails(
    status: 503, code: "try_again", detail: "Who may come in is just being changed; try again.",
    headers: ["Retry-After": "1"])

  /// Answers a request that waits first, with who has turned out to send it.
  func respond(to request: HTTPRequest, after wait: @Sendable () async -> Void) async -> (HTTPRequest, HTTPResponse) {
    var request = request
    await wait()
    let response = await answer(&request, resolve(&request, mayWait: false))
    return (request, finish(response, of: request))
  }

  /// Runs what of a route's handler belongs on the event loop; nil where all of it is for the worker pool.
  func begin(_ index: Int, _ request: HTTPRequest) -> Route.Beginning? {
    do {
      switch routes[index].handler {
      case .inline(let handle): return .answer(try handle(request))
      case .begun(let handle):
        let isLarge = request.body.count > Route.mostBytesOnLoop && !routes[index].takesLargeBodiesOnLoop
        return isLarge ? nil : try handle(request)
      case .async: return nil
      }
    } catch {
      return .answer(response(to: error, of: request))
    }
  }

  /// Runs a route's handler, or the rest of one that has begun, unless the route is busy. A streamed response counts
  /// until its producer is let go.
  func run(_ index: Int, _ request: HTTPRequest, rest: Route.Rest? = nil) async -> HTTPResponse {
    let handler = rest.map { rest in .async { _ in try await rest() } } ?? routes[index].handler
    guard let limit = limits[index] else { return await run(handler, request) }
    let permit: ConcurrencyLimit.Permit
    do throws(ProblemDetails) {
      permit = try limit.enter(request.caller)
    } catch {
      return error.response(requestID: request.requestID)
    }
    var response = await run(handler, request)
    if let stream = response.stream {
      response.stream = { writer in
        try await stream(writer)
        withExtendedLifetime(permit) {}
      }
    }
    withExtendedLifetime(permit) {}
    return response
  }

  private func run(_ handler: Route.Handler, _ request: HTTPRequest) async -> HTTPResponse {
    let answer = await answer(handler, request)
    // A read may have waited for long. What a change has done is told all the same.
    if let caller = request.caller, caller.hasEnded, ["GET", "HEAD"].contains(request.method) {
      return Caller.endedProblem.response(requestID: request.requestID)
    }
    return answer
  }

  private func answer(_ handler: Route.Handler, _ request: HTTPRequest) async -> HTTPResponse {
    do {
      switch handler {
      case .inline(let handle): return try handle(request)
      case .begun(let handle): return try await handle(request).response
      case .async(let handle): return try await handle(request)
      }
    } catch {
      return response(to: error, of: request)
    }
  }

  private func response(to error: any Error, of request: HTTPRequest) -> HTTPResponse {
    if let problem = error as? ProblemDetails { return problem.response(requestID: request.requestID) }
    logger.error(
      "request failed",
      metadata: [
        "request_id": "\(request.requestID)", "method": "\(request.method)", "path": "\(request.path.withoutTokens)",
        "error": "\(error)",
      ])
    return ProblemDetails(
      status: 500, code: "internal_error",
      detail: "The server failed on this request; its log has the cause under this request's id."
    ).response(requestID: request.requestID)
  }

  /// What every response carries, and what HEAD leaves out.
  func finish(_ response: HTTPResponse, of request: HTTPRequest) -> HTTPResponse {
    var response = response
    response.headers.add("X-Request-Id", request.requestID)
    for (name, value) in fields.fields { response.headers.add(name, value) }
    for (name, value) in request.answerFields.fields { response.headers.add(name, value) }
    if let traceParent = request.traceParent { response.headers["traceparent"] = traceParent.text }
    if let stream = response.stream, let caller = request.caller { response.stream = caller.bounding(stream) }
    ContentCoding.apply(to: &response, for: request)
    if request.method == "HEAD" {
      if response.stream == nil { response.headers["Content-Length"] = String(response.body.count) }
      response.body = Data()
      response.stream = nil
    }
    return response
  }
}
