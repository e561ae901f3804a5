package import ParvaHTTP
import Synchronization

/// What the server that answers has counted. The server is made after its routes, so it is given later.
package final class ServerCounters: Sendable {
  private let server = Mutex<HTTPServer?>(nil)

  package init() {}

  package func count(_ server: HTTPServer) { self.server.withLock { $0 = server } }

  /// No samples before a server has come in.
  package func write(to text: inout MetricsText) {
    let seen = server.withLock({ $0 })?.statistics
    text.single("parva_http_connections", "gauge", "Connections that are open.", seen.map { Double($0.connections) })
    text.single(
      "parva_http_connections_accepted_total", "counter", "Connections that were accepted.",
      seen.map { Double($0.accepted) })
    text.single(
      "parva_http_connections_evicted_total", "counter",
      "Waiting connections that were closed to make room for new ones.", seen.map { Double($0.evicted) })
    text.single(
      "parva_http_connections_turned_away_total", "counter",
      "Connections closed unread, because a limit or the supply of descriptors was exhausted.",
      seen.map { Double($0.turnedAway) })
    text.single(
      "parva_http_requests_received_total", "counter", "Requests that were handed to the routes.",
      seen.map { Double($0.requests) })
    text.single(
      "parva_http_requests_refused_total", "counter",
      "Requests refused by the parser, a limit or a timeout, before a route.", seen.map { Double($0.refused) })
    text.single(
      "parva_http_body_bytes", "gauge", "Bytes of large request bodies that are held now.",
      seen.map { Double($0.bodyBytes) })
  }
}
