import ParvaControl
import ParvaServing
import Synchronization

/// What the controller counts and knows at the moment, written as Prometheus text.
///
/// Every family is written always, with no samples where there is nothing to tell: docs/metrics.md lists them, and a test
/// compares the two.
final class ControllerMetrics: Sendable {
  let controller: Controller
  let proxies: ProxyRegistry
  /// In the order of the route table.
  private let routes = Mutex<[RouteCounter]>([])
  private let server: ServerCounters
  private let issued: IssuedTokens?
  private let version: String
  let part: ReplicaPart

  init(
    _ controller: Controller, server: ServerCounters, proxies: ProxyRegistry, issued: IssuedTokens? = nil,
    version: String = "", part: ReplicaPart = .alone
  ) {
    self.controller = controller
    self.server = server
    self.proxies = proxies
    self.issued = issued
    self.version = version
    self.part = part
  }

  /// The counter of one entry of the route table.
  func counter(method: String, route: String) -> RouteCounter {
    routes.withLock { routes in
      if let known = routes.first(where: { $0.method == method && $0.route == route }) { return known }
      routes.append(RouteCounter(method: method, route: route))
      return routes[routes.count - 1]
    }
  }

  /// O(GPUs + workloads), with a small factor: never called on an event loop.
  var text: String {
    let board = controller.board.view
    var text = MetricsText()
    text.build(version)
    writeRoutes(to: &text)
    writePlanning(board, to: &text)
    writePlan(board, to: &text)
    writeStore(to: &text)
    writeFleet(to: &text)
    writePushes(to: &text)
    writeWebhooks(to: &text)
    writeTraffic(to: &text)
    writeWorkloads(board, to: &text)
    Tracer.write(controller.configuration.tracer, to: &text)
    writeIssuer(to: &text)
    writeReplica(to: &text)
    server.write(to: &text)
    ProcessFigures.write(to: &text)
    return text.text
  }

  private func writeIssuer(to text: inout MetricsText) {
    let figures = issued?.keys.figures
    text.single(
      "parva_issuer_keys", "gauge", "Keys of the OpenID Connect issuer that tokens may be signed with.",
      figures.map { Double($0.keys) })
    text.single(
      "parva_issuer_keys_age_seconds", "gauge", "Time since the issuer's keys were read; none before that.",
      figures.flatMap(\.age))
    text.single(
      "parva_issuer_read_failures", "gauge", "Times in a row that the issuer's keys could not be read.",
      figures.map { Double($0.failures) })
    text.single(
      "parva_issuer_tokens", "gauge", "Tokens of the issuer that were found good and are remembered.",
      issued.map { Double($0.count) })
  }

  private func writeRoutes(to text: inout MetricsText) {
    let routes = self.routes.withLock { $0 }.map { (counter: $0, totals: $0.totals) }
      .sorted { ($0.counter.route, $0.counter.method) < ($1.counter.route, $1.counter.method) }
    text.family("parva_http_requests_total", "counter", "Requests answered, by route and status.") { family in
      for (counter, totals) in routes {
        for (status, count) in totals.statuses {
          family.sample(
            ["method": counter.method, "route": counter.route, "status": String(status)], Double(count))
        }
      }
    }
    text.family("parva_http_request_duration_seconds", "histogram", "Time from a request to its answer.") { family in
      for (counter, totals) in routes where !totals.statuses.isEmpty {
        family.histogram(["method": counter.method, "route": counter.route], totals.durations)
      }
    }
  }
}
