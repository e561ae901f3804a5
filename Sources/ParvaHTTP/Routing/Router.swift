package import Logging

/// The route table, compiled once and frozen; safe to use from every thread.
package final class Router: Sendable {
  /// The table as it was given, for documentation and for the test against openapi.yaml.
  package let routes: [Route]
  let logger: Logger
  /// Judges every request that has a route before its handler runs and before more of its body is read than a refusal
  /// needs; notes the caller. Runs on the event loop.
  package typealias Gate = @Sendable (inout HTTPRequest, Route) throws(ProblemDetails) -> Void

  let gate: Gate?
  /// Judges a request that the gate has let in, once, when it is whole.
  private let meter: Gate?
  /// What is worth waiting for before the gate is asked once more about a request that it has refused; nil: nothing.
  package typealias Pause = @Sendable (HTTPRequest, Route) -> (@Sendable () async -> Void)?

  private let pause: Pause?
  /// What every answer carries.
  let fields: HTTPHeaders
  /// Said of everything that is not in the table, where that means nothing yet.
  private let elsewhere: ProblemDetails?
  let limits: [ConcurrencyLimit?]
  private let trie: RouteTrie
  private let parameterNames: [[String]]
  private let allMethods: String

  /// - Precondition: every pattern starts with `/` and stands once per method.
  package init(
    routes: [Route], logger: Logger = Logger(label: "parva.http"), gate: Gate? = nil,
    meter: Gate? = nil, pause: Pause? = nil, fields: HTTPHeaders = HTTPHeaders(), elsewhere: ProblemDetails? = nil
  ) {
    self.routes = routes
    self.logger = logger
    self.gate = gate
    self.meter = meter
    self.pause = pause
    self.fields = fields
    self.elsewhere = elsewhere
    limits = routes.map { route in route.concurrency.map { ConcurrencyLimit($0) } }
    trie = RouteTrie(routes: routes)
    parameterNames = routes.map { route in
      route.pattern.split(separator: "/").filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) }
    }
    allMethods = Self.allow(routes.map(\.method))
  }

  /// What a request leads to before any handler has run.
  enum Resolution {
    case route(Int)
    case answer(HTTPResponse)
    /// To be resolved once more after this.
    case wait(@Sendable () async -> Void)
  }

  /// Finds the handler and fills in `request.pathParameters`; answers 404, 405 and OPTIONS itself.
  ///
  /// - Parameter mayWait: whether what the gate refuses may wait for another judgement.
  func resolve(_ request: inout HTTPRequest, mayWait: Bool = true) -> Resolution {
    switch outcome(method: request.method, path: request.path) {
    case .found(let match):
      fill(&request, match)
      do throws(ProblemDetails) {
        try judge(&request, routes[match.route])
        try meter?(&request, routes[match.route])
      } catch {
        if mayWait, let wait = pause?(request, routes[match.route]) { return .wait(wait) }
        return .answer(error.response(requestID: request.requestID))
      }
      return .route(match.route)
    case .otherMethods(let methods):
      let allow = Self.allow(methods)
      if request.method == "OPTIONS" { return .answer(HTTPResponse(status: 204, headers: ["Allow": allow])) }
      return .answer(
        ProblemDetails(
          status: 405, code: "method_not_allowed",
          detail: "\(request.method) is not allowed on \(request.path); allowed: \(allow).", headers: ["Allow": allow]
        ).response(requestID: request.requestID))
    case .unknown:
      if request.method == "OPTIONS", request.path == "*" {
        return .answer(HTTPResponse(status: 204, headers: ["Allow": allMethods]))
      }
      return .answer(
        (elsewhere ?? ProblemDetails(status: 404, code: "not_found", detail: "There is nothing at \(request.path)."))
          .response(requestID: request.requestID))
    }
  }

  /// The table entry of a request whose body has not been read; nil where it will be answered without one.
  package func route(method: String, path: String) -> Route? {
    if case .found(let match) = outcome(method: method, path: path) { return routes[match.route] }
    return nil
  }

  /// Whether a request will be let in whose body has not been read; if not, its body is nobody's business.
  /// If so, the request then has its caller.
  func letsIn(_ request: inout HTTPRequest) -> Bool {
    guard gate != nil else { return true }
    guard case .found(let match) = outcome(method: request.method, path: request.path) else { return false }
    fill(&request, match)
    do throws(ProblemDetails) {
      try judge(&request, routes[match.route])
      return true
    } catch {
      return false
    }
  }

  /// - Throws: 415 `unsupported_content_coding` for a body that is packed (RFC 9110, section 8.4), and what the gate does.
  private func judge(_ request: inout HTTPRequest, _ route: Route) throws(ProblemDetails) {
    if let coding = request.headers["Content-Encoding"], coding.lowercased() != "identity" {
      throw ProblemDetails(
        status: 415, code: "unsupported_content_coding",
        detail: "Bodies are taken as they are, not packed: send this one without Content-Encoding.",
        headers: ["Accept-Encoding": "identity"])
    }
    try gate?(&request, route)
  }

  private func fill(_ request: inout HTTPRequest, _ match: RouteTrie.Match) {
    let names = parameterNames[match.route]
    if names.isEmpty { return }
    let path = Array(request.path.utf8)
    for (name, range) in zip(names, match.parameters) {
      request.pathParameters[name] = PercentEncoding.decodeParameter(path[range])
    }
  }

  /// HEAD is answered by the route of GET (RFC 9110, section 9.3.2).
  private func outcome(method: String, path: String) -> RouteTrie.Outcome {
    let result = trie.search(method: method, path: path.utf8.span)
    guard method == "HEAD", case .otherMethods(let methods) = result, methods.contains("GET") else { return result }
    return trie.search(method: "GET", path: path.utf8.span)
  }

  private static func allow(_ methods: [String]) -> String {
    var all = Set(methods)
    if all.contains("GET") { all.insert("HEAD") }
    all.insert("OPTIONS")
    return all.sorted().joined(separator: ", ")
  }
}
