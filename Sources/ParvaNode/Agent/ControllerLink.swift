import Foundation
package import Logging
import ParvaFormats
package import ParvaHTTP
package import ParvaWire
import Synchronization

/// The agent's tie to its controller, of which there may be several replicas: registers the node, then sends heartbeats with what the driver shows.
///
/// The node does without a controller: what is verified stands, and the link only tries on.
package final class ControllerLink: Sendable {
  package struct Configuration: Sendable {
    /// URLs of the controllers, at least one, the preferred first: replicas of one, any of which will do.
    package var controllers: [String]
    package var name: String
    package var spec: NodeSpec
    /// Bearer token, where the controller wants one.
    package var token: String?
    package var tls = HTTPClientConfiguration.TLS()
    /// Between heartbeats until the controller says otherwise.
    package var interval = Duration.seconds(10)
    /// Before the second attempt, doubled up to ``longestPause`` and up to three heartbeats: without so many a node counts
    /// as unreachable. What is waited is drawn from nothing up to this.
    package var pause = Duration.milliseconds(500)
    package var longestPause = Duration.seconds(30)

    package init(controllers: [String], name: String, spec: NodeSpec) {
      precondition(!controllers.isEmpty, "there is a controller to report to")
      self.controllers = controllers
      self.name = name
      self.spec = spec
    }

    /// What the pause grows to, where the controller wants a heartbeat once in an interval.
    func pause(after pause: Duration, interval: Duration) -> Duration {
      min(pause * 2, longestPause, max(.seconds(2), interval * 3))
    }
  }

  /// What an exchange with the controller has led to.
  private enum Outcome {
    /// As ``LinkCounters`` counts it.
    var name: String {
      switch self {
      case .accepted: "accepted"
      case .unknown: "unknown"
      case .removed: "removed"
      case .failed: "failed"
      }
    }

    case accepted(interval: Duration)
    /// The controller does not know the node: it must be registered.
    case unknown
    /// The node was taken out on purpose: it stays out until the agent starts anew.
    case removed
    case failed(String)
  }

  private let configuration: Configuration
  private let client: HTTPClient
  private let state: @Sendable () async throws -> NodeStateDocument
  private let logger: Logger
  private let clock: any Clock<Duration>
  private let bell: Doorbell
  private let counters: LinkCounters
  /// Which of the controllers is spoken to: the one that has answered last.
  private let chosen = Mutex(0)

  /// Between two exchanges at the least, however often it rings.
  static let spacing = Duration.seconds(1)
  /// Others may change the node's declaration between its reading and its writing; so often it is tried at once.
  private static let registrationAttempts = 4

  /// - Parameters:
  ///   - bell: rings when something has changed that the controller should hear of before the next heartbeat is due.
  ///   - state: what a heartbeat carries.
  package init(
    configuration: Configuration, logger: Logger, bell: Doorbell = Doorbell(), counters: LinkCounters = LinkCounters(),
    clock: any Clock<Duration> = ContinuousClock(), state: @escaping @Sendable () async throws -> NodeStateDocument
  ) {
    self.configuration = configuration
    self.logger = logger
    self.bell = bell
    self.counters = counters
    self.clock = clock
    self.state = state
    var client = HTTPClientConfiguration()
    client.tls = configuration.tls
    // Where there is another to ask, nobody waits for long.
    client.timeout = .seconds(configuration.controllers.count > 1 ? 6 : 15)
    client.connectTimeout = .seconds(configuration.controllers.count > 1 ? 2 : 5)
    client.retries = 0
    client.maxResponseBytes = 1 << 20
    self.client = HTTPClient(configuration: client)
  }

  /// Whether a secret may travel to this URL: encrypted, or not leaving the machine.
  package static func isConfidential(_ url: String) -> Bool {
    guard let parts = URLComponents(string: url), let host = parts.host?.lowercased() else { return false }
    return parts.scheme?.lowercased() == "https" || ["localhost", "[::1]", "::1"].contains(host)
      || host.hasPrefix("127.")
  }

  /// Registers and reports until the task is cancelled.
  package func run() async {
    var isRegistered = false
    var isRemoved = false
    var pause = configuration.pause
    var interval = configuration.interval
    var failures = 0
    while !Task.isCancelled {
      var outcome = isRegistered ? Outcome.accepted(interval: configuration.interval) : await register()
      if case .accepted = outcome {
        isRegistered = true
        outcome = await beat()
      }
      counters.add(outcome.name)
      let wait: Duration
      switch outcome {
      case .accepted(let wanted):
        interval = wanted
        if isRemoved { logger.notice("registered again") }
        isRemoved = false
        pause = configuration.pause
        failures = 0
        wait = interval
      case .unknown:
        isRegistered = false
        wait = drawn(&pause, interval)
      case .removed:
        if !isRemoved { logger.warning("the controller has removed this node; start the agent anew to return") }
        isRemoved = true
        wait = configuration.longestPause
      case .failed(let reason):
        failures += 1
        logger.warning(
          "the controller is not reached", metadata: ["reason": "\(reason)", "controller": "\(controller)"])
        turn()
        // All others are asked first.
        wait = failures % configuration.controllers.count == 0 ? drawn(&pause, interval) : .zero
      }
      let hold = min(wait, Self.spacing)
      try? await clock.sleep(for: hold)
      await bell.wait(upTo: wait - hold, on: clock)
    }
    client.shutdown()
  }

  /// Full jitter: nodes that lost their controller together do not come back together.
  private func drawn(_ pause: inout Duration, _ interval: Duration) -> Duration {
    defer { pause = configuration.pause(after: pause, interval: interval) }
    return pause * Double.random(in: 0...1)
  }

  private var controller: String { chosen.withLock { configuration.controllers[$0] } }

  /// Speaks to the next controller from now on.
  private func turn() { chosen.withLock { $0 = ($0 + 1) % configuration.controllers.count } }

  // MARK: - Requests

  private func register() async -> Outcome {
    var spec = configuration.spec
    if spec.webhookSecret != nil && !Self.isConfidential(controller) {
      logger.warning("the webhook secret is not sent to the controller without TLS; give it to the controller itself")
      spec.webhookSecret = nil
    }
    let path = "/v1/nodes/\(configuration.name)"
    for _ in 0..<Self.registrationAttempts {
      // The controller may insist that a change names what it changes (RFC 6585, section 3).
      let there = await send("GET", path)
      let condition: HTTPHeaders
      // What an operator has begun goes on: only where it is so, since older controllers know no such wish.
      var wish = ""
      switch there {
      case .failure(let reason): return .failed(reason.message)
      case .success(let response) where response.status == 404 || response.status == 410:
        condition = ["If-None-Match": "*"]
      case .success(let response) where response.status == 200:
        condition = response.headers["ETag"].map { ["If-Match": $0] } ?? [:]
        let declared = try? JSONDecoder().decode(Declared.self, from: response.body)
        if declared?.status?.state == "draining" { wish = "?drain=keep" }
      case .success: return outcome(of: there, "GET", path)
      }
      let put = await send("PUT", path + wish, headers: condition, body: spec)
      if case .success(let response) = put, response.status == 412 { continue }
      return outcome(of: put, "PUT", path)
    }
    return .failed("others change the declaration of this node at the same time")
  }

  /// What of a node's representation matters here.
  private struct Declared: Decodable {
    struct Status: Decodable { var state: String? }
    var status: Status?
  }

  private func beat() async -> Outcome {
    let path = "/v1/nodes/\(configuration.name)/status"
    do {
      return outcome(of: await send("POST", path, body: try await state()), "POST", path)
    } catch {
      return .failed("there is no state to send: \(error)")
    }
  }

  private func send(
    _ method: String, _ path: String, headers: HTTPHeaders = [:], body: (some Encodable)? = nil as NodeSpec?
  ) async -> Result<HTTPResponse, HTTPClientError> {
    var headers = headers
    if let token = configuration.token { headers["Authorization"] = "Bearer \(token)" }
    var data = Data()
    if let body {
      headers["Content-Type"] = "application/json"
      // Equal states are equal bytes, by which the controller knows a heartbeat without news. Nothing that is sent here
      // holds a value that JSON has no form for.
      data = (try? WireWriter.json(body)) ?? Data()
    }
    do throws(HTTPClientError) {
      return .success(
        try await client.send(
          HTTPClientRequest(method: method, url: controller + path, headers: headers, body: data)))
    } catch {
      return .failure(error)
    }
  }

  private func outcome(of answer: Result<HTTPResponse, HTTPClientError>, _ method: String, _ path: String) -> Outcome {
    switch answer {
    case .failure(let error): return .failed(error.message)
    case .success(let response):
      switch response.status {
      case 200..<300:
        let seconds = (try? JSONDecoder().decode(HeartbeatAnswer.self, from: response.body))?.heartbeatSeconds
        return .accepted(interval: seconds.map { .seconds(min(300, max(0.05, $0))) } ?? configuration.interval)
      case 404: return .unknown
      case 410: return .removed
      default:
        let problem = try? JSONSerialization.jsonObject(with: response.body) as? [String: Any]
        let detail = (problem?["detail"] as? String).map { ": \($0.prefix(300))" } ?? ""
        return .failed("\(method) \(path) was answered with \(response.status)\(detail)")
      }
    }
  }
}
