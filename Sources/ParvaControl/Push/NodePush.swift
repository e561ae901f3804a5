import Foundation
import ParvaFormats
import ParvaHTTP
import ParvaServing
import ParvaWire

/// Brings one node its assignment and follows it to its end there.
///
/// The node answers the same revision twice with the same operation, so every request may be repeated: after a lost
/// answer, after a restart of the node, after a restart of the controller.
struct NodePush: Sendable {
  typealias Status = FleetOperationDocument.Node.Status

  /// What one look at the node has shown.
  enum Sighting: Sendable {
    case working(NodeOperationDocument)
    case ended(NodeOperationDocument)
    /// The node does not know its operation any more: it was restarted.
    case forgotten
    /// Worth another attempt.
    case trouble(code: String, message: String)
    /// Another attempt would be answered the same.
    case refusal(code: String, message: String)
  }

  let operation: String
  let node: String
  let wanted: NodeAssignment
  let nodes: NodeRegistry
  let settings: PushSettings
  let client: HTTPClient
  let limit: RequestLimit
  /// Seconds since 1970, for signatures.
  let now: @Sendable () -> Int
  let report: @Sendable (_ change: @Sendable (inout FleetOperationDocument.Node) -> Void) async -> Void

  /// Answers whether the node has verified what it was sent, once it has ended one way or another or the task is cancelled.
  func run() async -> Bool {
    guard let tracer = settings.tracer, let parent = tracer.context(of: "operation/\(operation)") else {
      return await run(within: nil)
    }
    let span = tracer.begin("push to node", .client, below: parent)
    let isWell = await run(within: span.context)
    tracer.end(
      span, [("parva.node", .text(node)), ("parva.version", .text("\(wanted.version)"))],
      error: isWell ? nil : "the node has not verified it")
    return isWell
  }

  private func run(within span: SpanContext?) async -> Bool {
    let end = ContinuousClock.now + settings.deadline
    var pause = Duration.milliseconds(100)
    while !Task.isCancelled {
      let trouble: (code: String, message: String)
      switch await send(within: span) {
      case .working(let there):
        pause = .milliseconds(100)
        switch await follow(there, until: end) {
        case .ended(let well): return well
        case .lost(let code, let message): trouble = (code, message)
        }
      case .ended(let there):
        return await close(there)
      case .refusal(let code, let message):
        await report { node in
          node.status = .failed
          (node.code, node.message) = (code, message)
        }
        return false
      case .forgotten: trouble = ("node_restarted", "the node was restarted")
      case .trouble(let code, let message): trouble = (code, message)
      }
      guard ContinuousClock.now + pause < end else {
        await report { node in
          node.status = .failed
          (node.code, node.message) = ("deadline_passed", "not done in time; the last trouble: \(trouble.message)")
        }
        return false
      }
      await report { node in
        node.status = .pushing
        (node.code, node.message) = trouble
      }
      // Full jitter: what failed together does not come back together.
      try? await Task.sleep(for: pause * Double.random(in: 0...1))
      pause = min(pause * 2, settings.longestPause)
    }
    return false
  }

  /// How following a node's operation came to an end.
  private enum Followed {
    case ended(well: Bool)
    /// The assignment must be sent again.
    case lost(code: String, message: String)
  }

  /// Looks at the node's operation until it ends.
  private func follow(_ there: NodeOperationDocument, until end: ContinuousClock.Instant) async -> Followed {
    await report { $0.take(there, as: .applying) }
    var pause = Duration.milliseconds(20)
    var troubles = 0
    while !Task.isCancelled {
      try? await Task.sleep(for: pause)
      pause = min(pause * 2, settings.longestPoll)
      if ContinuousClock.now > end { return .lost(code: "deadline_passed", message: "the node still works on it") }
      switch await look(there.id) {
      case .working(let there):
        troubles = 0
        await report { $0.take(there, as: .applying) }
      case .ended(let there): return .ended(well: await close(there))
      case .forgotten: return .lost(code: "node_restarted", message: "the node was restarted on the way")
      case .trouble(let code, let message), .refusal(let code, let message):
        troubles += 1
        if troubles == 3 { return .lost(code: code, message: message) }
      }
    }
    return .ended(well: false)
  }

  private func close(_ there: NodeOperationDocument) async -> Bool {
    let status: Status =
      switch there.status {
      case .verified: .verified
      case .rolledBack: .rolledBack
      case .refused: .refused
      case .stuck: .stuck
      case .superseded: .superseded
      case .failed, .queued, .running: .failed
      }
    // Before anybody hears of the end: whoever begins something else then goes by what stands.
    if status == .verified { nodes.verified(wanted, on: node) }
    await report { node in
      node.take(there, as: status)
      if status == .verified { return }
      node.code = there.failure?.code ?? there.problems.first?.code ?? there.status.rawValue
      node.message = there.failure?.detail ?? there.problems.first?.message
    }
    return status == .verified
  }

  // MARK: - Requests

  private func send(within span: SpanContext?) async -> Sighting {
    guard let record = nodes.node(node) else { return .refusal(code: "node_removed", message: "it is not registered") }
    guard let body = try? JSONEncoder().encode(PushedAssignment(wanted, term: settings.term)) else {
      return .refusal(code: "assignment_unwritable", message: "the assignment cannot be written")
    }
    var request = HTTPClientRequest(
      method: "POST", url: record.address + "/v1/apply", headers: ["Content-Type": "application/json"], body: body)
    if let span { request.headers["traceparent"] = span.traceparent }
    if let refusal = sign(&request, for: record) { return refusal }
    // One that was stopped for a while may have been replaced.
    guard settings.leadership.isSure() else {
      return .trouble(code: "not_leader", message: "another controller may lead by now")
    }
    await report { node in
      node.attempts += 1
      if node.status == .pending { node.status = .pushing }
    }
    return await perform(request)
  }

  private func look(_ id: String) async -> Sighting {
    guard let record = nodes.node(node) else { return .refusal(code: "node_removed", message: "it is not registered") }
    let id = id.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(["-", "."])) ?? ""
    var request = HTTPClientRequest(method: "GET", url: "\(record.address)/v1/operations/\(id)")
    if let refusal = sign(&request, for: record) { return refusal }
    return await perform(request)
  }

  /// Puts the node's signature to a request, where it has a secret; answers why it cannot.
  private func sign(_ request: inout HTTPClientRequest, for record: NodeRecord) -> Sighting? {
    do {
      guard let signature = try settings.secrets.signature(of: record) else { return nil }
      for (name, value) in signature.headers(id: "\(operation).\(node)", timestamp: now(), body: request.body) {
        request.headers[name] = value
      }
      return nil
    } catch {
      return .refusal(
        code: "secret_unusable",
        message: error == .malformed
          ? "its webhook secret is not whsec_ and the base64 of 24 to 64 bytes"
          : "its webhook secret cannot be read from the folder of node secrets")
    }
  }

  private func perform(_ request: HTTPClientRequest) async -> Sighting {
    let response: HTTPResponse
    do throws(HTTPClientError) {
      response = try await limit.run { () async throws(HTTPClientError) in try await client.send(request) }
    } catch {
      switch error.code {
      case .badRequest, .tlsFailed, .bodyTooLarge:
        return .refusal(code: error.code.rawValue, message: Self.short(error.message))
      default: return .trouble(code: error.code.rawValue, message: Self.short(error.message))
      }
    }
    if response.status == 200 || response.status == 202 {
      guard let there = try? JSONDecoder().decode(NodeOperationDocument.self, from: response.body),
        there.version == wanted.version
      else { return .refusal(code: "not_an_agent", message: "what answers there is no agent, or of another version") }
      return there.status.isOver ? .ended(there) : .working(there)
    }
    if response.status == 404 && request.method == "GET" { return .forgotten }
    let problem = try? JSONSerialization.jsonObject(with: response.body) as? [String: Any]
    let code = (problem?["code"] as? String) ?? "status_\(response.status)"
    let message = Self.short((problem?["detail"] as? String) ?? "the node answered with status \(response.status)")
    if code == PushedAssignment.superseded { settings.leadership.onDeposed() }
    let isPassing = response.status >= 500 || response.status == 429 || response.status == 408
    return isPassing ? .trouble(code: code, message: message) : .refusal(code: code, message: message)
  }

  /// What others send is not passed on at any length.
  private static func short(_ text: String) -> String { String(text.prefix(500)) }
}

extension FleetOperationDocument.Node {
  /// The node's own operation as it stands there.
  fileprivate mutating func take(_ there: NodeOperationDocument, as status: Status) {
    self.status = status
    operation = there.id
    simulated = there.simulated
    steps = there.steps
    failure = there.failure
    problems = there.problems
    lost = there.lost
    (code, message) = (nil, nil)
  }
}
