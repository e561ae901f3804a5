import Foundation
import ParvaFormats
import ParvaHTTP
import Synchronization

/// A controller as the verbs talk to it: requests out, documents or refusals back. Of several replicas the first that
/// answers is spoken to.
struct ServerConnection: Sendable {
  /// One address of a controller.
  struct Target: Sendable {
    /// What the URLs begin with.
    let base: String
    /// The server as the user named it, for messages.
    let shown: String
    let client: HTTPClient
  }

  private let targets: [Target]
  private let token: String?
  /// The namespace that the context is for.
  let home: String?
  /// How long requests are sent again that may be.
  private let patience: Duration
  /// Which of the targets has answered last.
  private let chosen: Chosen

  private final class Chosen: Sendable {
    let index = Mutex(0)
  }

  /// - Parameter targets: at least one, the preferred first.
  init(_ targets: [Target], token: String?, home: String? = nil, patience: Duration = .zero) {
    (self.targets, self.token, self.home, self.patience) = (targets, token, home, patience)
    chosen = Chosen()
  }

  /// Sends a request; again, for as long as the user has patience, where the controller cannot be reached or says that this
  /// passes, and where that can do no harm.
  ///
  /// - Parameters:
  ///   - isRepeatable: whether it does no harm twice, whatever the method.
  ///   - accepting: statuses beyond 2xx that are no failure, for example 404.
  ///   - inDoubt: those that are none once an earlier attempt may have been done.
  /// - Throws: ``CommandFailure`` when there is no answer or one that refuses.
  func send(
    _ method: String, _ path: String, body: Data? = nil, headers: [String: String] = [:],
    accept: String = "application/json", isRepeatable: Bool = false, accepting: Set<Int> = [], inDoubt: Set<Int> = []
  ) async throws -> HTTPResponse {
    var request = HTTPClientRequest(method: method, url: "")
    request.headers["Accept"] = accept
    request.isIdempotent = isRepeatable
    if let token { request.headers["Authorization"] = "Bearer \(token)" }
    if let body {
      request.body = body
      request.headers["Content-Type"] = "application/json"
    }
    for (name, value) in headers { request.headers[name] = value }
    var retry = RequestRetry(for: patience)
    var (isInDoubt, isTold) = (false, false)
    while true {
      let first = chosen.index.withLock { $0 }
      // Put into words only where somebody reads them: an answer may be a plan of many megabytes.
      var (failure, after): ((() -> CommandFailure)?, Int?) = (nil, nil)
      var mayPass = false
      for offset in targets.indices {
        let index = (first + offset) % targets.count
        let outcome = await exchange(request, path, isSeen: !inDoubt.isEmpty, with: targets[index])
        let told = { message(of: outcome, method, path, targets[index]) }
        failure = told
        switch RequestRetry.verdict(of: outcome, to: request) {
        case .final:
          guard case .answered(let response) = outcome else { throw told() }
          chosen.index.withLock { $0 = index }
          let accepted = isInDoubt ? accepting.union(inDoubt) : accepting
          guard (200..<300).contains(response.status) || accepted.contains(response.status) else { throw told() }
          return response
        case .elsewhere: continue
        case .again(let seconds, let wasInDoubt):
          isInDoubt = isInDoubt || wasInDoubt
          mayPass = true
          after = [after, seconds].compactMap(\.self).max()
        }
      }
      guard mayPass, let wait = retry.wait(after: after) else {
        throw failure?() ?? CommandFailure(.unexpected, "there is no controller to ask")
      }
      if !isTold, let message = failure?().message {
        Console.error("\(message); it is tried again for up to \(patience.components.seconds) s")
        isTold = true
      }
      try await Task.sleep(for: wait)
    }
  }

  /// - Parameter isSeen: whether a repetition has to be known here; else libcurl repeats by itself on a connection that has ended.
  private func exchange(
    _ request: HTTPClientRequest, _ path: String, isSeen: Bool, with target: Target
  ) async -> RequestRetry.Outcome {
    var request = request
    request.url = target.base + path
    request.isSentOnce = isSeen
    do throws(HTTPClientError) {
      return .answered(try await target.client.send(request))
    } catch {
      return .failed(error)
    }
  }

  private func message(
    of outcome: RequestRetry.Outcome, _ method: String, _ path: String, _ target: Target
  ) -> CommandFailure {
    switch outcome {
    case .answered(let response): Self.failure(response, method, path)
    case .failed(let error): CommandFailure(.unexpected, "\(target.shown): \(error.message)")
    }
  }

  /// A JSON document.
  func value(_ path: String) async throws -> JSONValue { try Self.value(of: try await send("GET", path)) }

  /// What the controller tells people.
  func text(_ path: String) async throws -> String {
    String(decoding: try await send("GET", path, accept: "text/plain").body, as: UTF8.self)
  }

  /// Tries again where the controller does not answer or answers 5xx, for up to a minute: one that is started anew takes a
  /// moment, and who follows something does not want to begin again.
  ///
  /// - Parameter isFollowing: whether something is followed; else it is tried once.
  func patiently<Value: Sendable>(
    while isFollowing: Bool = true, _ body: @Sendable () async throws -> Value
  ) async throws -> Value {
    let end = ContinuousClock.now + .seconds(isFollowing ? 60 : 0)
    while true {
      do {
        return try await body()
      } catch let failure as CommandFailure where failure.status == .unexpected && ContinuousClock.now < end {
        try await Task.sleep(for: .milliseconds(500))
      }
    }
  }

  static func value(of response: HTTPResponse) throws -> JSONValue {
    do {
      return try InputSource(response.body, format: .json).value(limit: InputLimits.planBytes)
    } catch {
      throw CommandFailure(.unexpected, "the server's answer is not JSON; is it a Parva controller?")
    }
  }

  /// All rows of a list, page by page.
  ///
  /// - Parameter member: what the list is called in its answer.
  func rows(_ path: String, _ member: String, query: [String] = [], most: Int) async throws -> [JSONValue] {
    var rows: [JSONValue] = []
    var cursor: String?
    repeat {
      let page = query + ["limit=\(most)"] + (cursor.map { ["cursor=\(Self.escaped($0))"] } ?? [])
      let answer = try await value("\(path)?\(page.joined(separator: "&"))")
      rows += answer[member].elements
      cursor = answer["nextCursor"].text
    } while cursor != nil
    return rows
  }

  /// One segment of a path, or a value in a query (RFC 3986, section 2.3).
  static func escaped(_ text: String) -> String {
    text.utf8.map { byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e: String(UnicodeScalar(byte))
      default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
      }
    }.joined()
  }

  /// What a refusal means for a person, and for the exit code.
  static func failure(_ response: HTTPResponse, _ method: String, _ path: String) -> CommandFailure {
    let problem = (try? value(of: response)) ?? .null
    guard let code = problem["code"].text, let detail = problem["detail"].text else {
      return CommandFailure(.unexpected, "\(method) \(path) was answered \(response.status) by what is no controller")
    }
    let place = (problem["pointer"].text ?? problem["parameter"].text).map { " at \($0)" } ?? ""
    let advice =
      switch response.status {
      case 401: " Give a token with --token-file or PARVA_TOKEN."
      case 403: " Another token is needed for this."
      default: ""
      }
    let id = problem["requestId"].text.map { " (request \($0))" } ?? ""
    return CommandFailure(
      response.status < 500 ? .badInput : .unexpected, "\(response.status) \(code)\(place): \(detail)\(advice)\(id)")
  }
}
