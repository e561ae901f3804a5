import Foundation
package import ParvaHTTP

extension Route {
  /// The route with a span around each request that its caller traces, or that changes something.
  ///
  /// - Parameter isFrequent: whether it is asked so often that only callers who trace it are of interest.
  package func traced(by tracer: Tracer?, isFrequent: Bool = false) -> Route {
    guard let tracer else { return self }
    let watch = RequestWatch(tracer: tracer, method: method, pattern: pattern, traces: method != "GET" && !isFrequent)
    var route = self
    switch handler {
    case .inline(let handle):
      route.handler = .inline { request in try watch.around(request) { try handle(request) } }
    case .begun(let handle):
      route.handler = .begun { request in try watch.begun(request, handle) }
    case .async(let handle):
      route.handler = .async { request in try await watch.around(request) { try await handle(request) } }
    }
    return route
  }
}

/// Makes the spans of one route.
private struct RequestWatch: Sendable {
  let tracer: Tracer
  let method: String
  let pattern: String
  /// Whether those who do not trace it are traced.
  let traces: Bool

  private func begin(_ request: HTTPRequest) -> Span? {
    let caller = request.traceParent.map { SpanContext($0) }
    guard caller?.isSampled ?? traces else { return nil }
    return tracer.begin("\(method) \(pattern)", .server, below: caller)
  }

  private func end(_ span: Span, _ request: HTTPRequest, _ status: Int) {
    tracer.end(
      span,
      [
        ("http.request.method", .text(method)), ("http.route", .text(pattern)), ("url.path", .text(request.path)),
        ("http.response.status_code", .number(status)), ("parva.request_id", .text(request.requestID)),
      ], error: status >= 500 ? "status \(status)" : nil)
  }

  private func status(of error: any Error) -> Int { (error as? ProblemDetails)?.status ?? 500 }

  func around(_ request: HTTPRequest, _ handle: () throws -> HTTPResponse) throws -> HTTPResponse {
    guard let span = begin(request) else { return try handle() }
    return try Tracer.$current.withValue(span.context) {
      do {
        let response = try handle()
        end(span, request, response.status)
        return response
      } catch {
        end(span, request, status(of: error))
        throw error
      }
    }
  }

  func around(
    _ request: HTTPRequest, _ handle: () async throws -> HTTPResponse
  ) async throws -> HTTPResponse {
    guard let span = begin(request) else { return try await handle() }
    return try await finish(span, request, handle)
  }

  private func finish(
    _ span: Span, _ request: HTTPRequest, _ handle: () async throws -> HTTPResponse
  ) async throws -> HTTPResponse {
    try await Tracer.$current.withValue(span.context) {
      do {
        let response = try await handle()
        end(span, request, response.status)
        return response
      } catch {
        end(span, request, status(of: error))
        throw error
      }
    }
  }

  /// What goes on elsewhere ends there.
  func begun(
    _ request: HTTPRequest, _ handle: (HTTPRequest) throws -> Route.Beginning
  ) throws -> Route.Beginning {
    guard let span = begin(request) else { return try handle(request) }
    do {
      switch try Tracer.$current.withValue(span.context, operation: { try handle(request) }) {
      case .answer(let response):
        end(span, request, response.status)
        return .answer(response)
      case .rest(let rest):
        var small = request
        small.body = Data()
        let known = small
        return .rest { try await finish(span, known, rest) }
      }
    } catch {
      end(span, request, status(of: error))
      throw error
    }
  }
}
