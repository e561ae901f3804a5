import Foundation
package import Logging
package import ParvaHTTP
package import ParvaWire
import Synchronization

/// The agent's tie to its controller: registers the node, then sends heartbeats with what the driver shows.
///
/// The node does without a controller: what is verified stands, and the link only tries on.
package final class ControllerLink: Sendable {
  package struct Configuration: Sendable {
    /// URL of the controller.
    package var controller: String
    package var name: String
    package var spec: NodeSpec
    /// Bearer token, where the controller wants one.
    package var token: String?
    package var tls = HTTPClientConfiguration.TLS()
    /// Between heartbeats until the controller says otherwise.
    package var interval = Duration.seconds(10)
    /// Before the second attempt, doubled up to ``longestPause``; what is waited is drawn from nothing up to this.
    package var pause = Duration.milliseconds(500)
    package var longestPause = Duration.seconds(30)

    package init(controller: String, name: String, spec: NodeSpec) {
      self.controller = controller
      self.name = name
      self.spec = spec
    }
  }

  /// What an exchange with the controller has led to.
  private enum Outcome {
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
  private let wakes = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

  /// - Parameter state: what a heartbeat carries.
  package init(
    configuration: Configuration, logger: Logger, state: @escaping @Sendable () async throws -> NodeStateDocument
  ) {
    self.configuration = configuration
    self.logger = logger
    self.state = state
    var client = HTTPClientConfiguration()
    client.tls = configuration.tls
    client.timeout = .seconds(15)
    client.retries = 0
    client.maxResponseBytes = 1 << 20
    self.client = HTTPClient(configuration: client)
  }

  /// Sends a heartbeat at once: something has changed.
  package func wake() { wakes.continuation.yield() }

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
    var ticks = wakes.stream.makeAsyncIterator()
    while !Task.isCancelled {
      var outcome = isRegistered ? Outcome.accepted(interval: configuration.interval) : await register()
      if case .accepted = outcome {
        isRegistered = true
        outcome = await beat()
      }
      let wait: Duration
      switch outcome {
      case .accepted(let interval):
        if isRemoved { logger.notice("registered again") }
        isRemoved = false
        pause = configuration.pause
        wait = interval
      case .unknown:
        isRegistered = false
        wait = drawn(&pause)
      case .removed:
        if !isRemoved { logger.warning("the controller has removed this node; start the agent anew to return") }
        isRemoved = true
        wait = configuration.longestPause
      case .failed(let reason):
        logger.warning("the controller is not reached", metadata: ["reason": "\(reason)"])
        wait = drawn(&pause)
      }
      await sleep(wait, &ticks)
    }
    client.shutdown()
  }

  /// Full jitter: nodes that lost their controller together do not come back together.
  private func drawn(_ pause: inout Duration) -> Duration {
    defer { pause = min(pause * 2, configuration.longestPause) }
    return pause * Double.random(in: 0...1)
  }

  private func sleep(_ duration: Duration, _ ticks: inout AsyncStream<Void>.AsyncIterator) async {
    let timer = Task { [wakes] in
      try? await Task.sleep(for: duration)
      wakes.continuation.yield()
    }
    defer { timer.cancel() }
    _ = await ticks.next()
  }

  // MARK: - Requests

  private func register() async -> Outcome {
    var spec = configuration.spec
    if spec.webhookSecret != nil && !Self.isConfidential(configuration.controller) {
      logger.warning("the webhook secret is not sent to the controller without TLS; give it to the controller itself")
      spec.webhookSecret = nil
    }
    return await send("PUT", "/v1/nodes/\(configuration.name)", spec)
  }

  private func beat() async -> Outcome {
    do {
      return await send("POST", "/v1/nodes/\(configuration.name)/status", try await state())
    } catch {
      return .failed("the driver does not answer: \(error)")
    }
  }

  private func send(_ method: String, _ path: String, _ body: some Encodable) async -> Outcome {
    var headers: HTTPHeaders = ["Content-Type": "application/json"]
    if let token = configuration.token { headers["Authorization"] = "Bearer \(token)" }
    guard let data = try? JSONEncoder().encode(body) else { return .failed("what the node shows cannot be written") }
    let response: HTTPResponse
    do throws(HTTPClientError) {
      response = try await client.send(
        HTTPClientRequest(method: method, url: configuration.controller + path, headers: headers, body: data))
    } catch {
      return .failed(error.message)
    }
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
