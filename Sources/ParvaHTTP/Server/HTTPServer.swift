package import Logging

/// An HTTP/1.1 server for one route table.
///
/// It runs from `start` until `shutdown` has returned, whether or not anybody keeps a reference to it.
package final class HTTPServer: Sendable {
  package typealias Configuration = HTTPServerConfiguration

  private let core: ServerCore

  package convenience init(
    configuration: Configuration, router: Router, logger: Logger = Logger(label: "parva.http")
  ) {
    self.init(configuration: configuration, slot: RouterSlot(router), logger: logger)
  }

  /// - Parameter slot: has the routes, which may be replaced while the server runs.
  package init(configuration: Configuration, slot: RouterSlot, logger: Logger = Logger(label: "parva.http")) {
    core = ServerCore(configuration: configuration, slot: slot, logger: logger)
  }

  /// Binds and serves; returns the bound addresses in the order of the configuration, with the ports that port 0 got.
  ///
  /// Throws `cannot_listen`. May be called once.
  package func start() throws(HTTPServerError) -> [String] { try core.start() }

  /// Stops accepting, lets running requests finish and closes what is left after `deadline`; returns when all is quiet.
  ///
  /// Streamed responses are asked to end at once. Safe to call again, also while the first call waits.
  package func shutdown(deadline: Duration = .seconds(10)) async { await core.shutdown(deadline: deadline) }

  /// Reads certificate, key and CA files anew for connections to come.
  ///
  /// Throws `cannot_reload` and keeps the old ones when the files are not usable.
  package func reloadCertificates() throws(HTTPServerError) { try core.reloadCertificates() }

  /// Sets ``HTTPServerConfiguration/maxBodyMemory`` and that per caller for bodies to come; no effect before `start`.
  package func setBodyMemory(_ bytes: Int, perCaller: Int) { core.setBodyMemory(bytes, perCaller: perCaller) }

  /// Counters since `start`.
  package var statistics: HTTPServerStatistics { core.statistics }
}

/// What a server has seen so far.
package struct HTTPServerStatistics: Sendable, Hashable {
  /// Open now.
  package var connections: Int
  package var accepted: Int
  package var requests: Int
  /// Requests refused by the parser, a limit or a timeout before they reached a route.
  package var refused: Int
  /// Connections closed while they waited, to make room for new ones.
  package var evicted: Int
  /// Connections closed unread because a limit or the supply of descriptors was exhausted.
  package var turnedAway: Int
  /// Bytes of large bodies that are held now.
  package var bodyBytes: Int
}
