import Foundation
import ParvaControl
import ParvaHTTP
import ParvaServing

/// `/metrics`.
struct MetricsHandlers: Sendable {
  let metrics: ControllerMetrics

  func get(_ request: HTTPRequest) -> HTTPResponse { .metrics(metrics.text) }

  /// The route with its handler counted and timed; a stream counts until it begins.
  func measured(_ route: Route) -> Route {
    let counter = metrics.counter(method: route.method, route: route.pattern)
    var route = route
    switch route.handler {
    case .inline(let handle):
      route.handler = .inline { request in try counter.timing { try handle(request) } }
    case .begun(let handle):
      route.handler = .begun { request in try counter.timing { try handle(request) } }
    case .async(let handle):
      route.handler = .async { request in try await counter.timing { try await handle(request) } }
    }
    return route
  }
}

extension RouteCounter {
  fileprivate func timing(_ handle: () throws -> HTTPResponse) throws -> HTTPResponse {
    let started = ContinuousClock.now
    do {
      let response = try handle()
      add(response.status, in: started.duration(to: .now))
      return response
    } catch {
      add(Self.status(of: error), in: started.duration(to: .now))
      throw error
    }
  }

  /// What goes on elsewhere counts there, from its beginning here.
  fileprivate func timing(_ handle: () throws -> Route.Beginning) throws -> Route.Beginning {
    let started = ContinuousClock.now
    do {
      switch try handle() {
      case .answer(let response):
        add(response.status, in: started.duration(to: .now))
        return .answer(response)
      case .rest(let rest):
        return .rest { try await self.timing(since: started, rest) }
      }
    } catch {
      add(Self.status(of: error), in: started.duration(to: .now))
      throw error
    }
  }

  fileprivate func timing(
    since started: ContinuousClock.Instant = .now, _ handle: () async throws -> HTTPResponse
  ) async throws -> HTTPResponse {
    do {
      let response = try await handle()
      add(response.status, in: started.duration(to: .now))
      return response
    } catch {
      add(Self.status(of: error), in: started.duration(to: .now))
      throw error
    }
  }

  private static func status(of error: any Error) -> Int { (error as? ProblemDetails)?.status ?? 500 }
}
