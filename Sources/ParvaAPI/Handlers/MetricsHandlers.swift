import Foundation
import ParvaHTTP

/// `/metrics`.
struct MetricsHandlers: Sendable {
  let metrics: ControllerMetrics
  let registry: DemandRegistry
  let board: PlanBoard

  func get(_ request: HTTPRequest) -> HTTPResponse {
    let demand = registry.read { ($0.revision, $0.registrations.count) }
    let text = metrics.text(demand: (revision: demand.0, workloads: demand.1), board: board.view)
    return HTTPResponse(
      status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8", body: Data(text.utf8))
  }

  /// The route with its handler counted and timed.
  func measured(_ route: Route) -> Route {
    var route = route
    let (method, pattern) = (route.method, route.pattern)
    switch route.handler {
    case .inline(let handle):
      route.handler = .inline { [metrics] request in
        let started = ContinuousClock.now
        let result = Result { try handle(request) }
        metrics.handled(method, pattern, status: Self.status(of: result), in: started.duration(to: .now))
        return try result.get()
      }
    case .async(let handle):
      route.handler = .async { [metrics] request in
        let started = ContinuousClock.now
        let result: Result<HTTPResponse, any Error>
        do {
          result = .success(try await handle(request))
        } catch {
          result = .failure(error)
        }
        metrics.handled(method, pattern, status: Self.status(of: result), in: started.duration(to: .now))
        return try result.get()
      }
    case .streaming:
      break
    }
    return route
  }

  private static func status(of result: Result<HTTPResponse, any Error>) -> Int {
    switch result {
    case .success(let response): response.status
    case .failure(let problem as ProblemDetails): problem.status
    case .failure: 500
    }
  }
}
