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
  /// Which of the targets has answered last.
  private let chosen: Chosen

  private final class Chosen: Sendable {
    let index = Mutex(0)
  }

  /// - Parameter targets: at least one, the preferred first.
  init(_ targets: [Target], token: String?) {
    (self.targets, self.token, chosen) = (targets, token, Chosen())
  }

  /// Sends a request.
  ///
  /// - Parameter accepting: statuses beyond 2xx that are no failure, for example 404.
  /// - Throws: ``CommandFailure`` when there is no answer or one that refuses.
  func send(
    _ method: String, _ path: String, body: Data? = nil, headers: [String: String] = [:],
    accept: String = "application/json", accepting: Set<Int> = []
  ) async throws -> HTTPResponse {
    let first = chosen.index.withLock { $0 }
    var failure: CommandFailure?
    for offset in targets.indices {
      let index = (first + offset) % targets.count
      var request = HTTPClientRequest(method: method, url: targets[index].base + path)
      request.headers["Accept"] = accept
      if let token { request.headers["Authorization"] = "Bearer \(token)" }
      if let body {
        request.body = body
        request.headers["Content-Type"] = "application/json"
      }
      for (name, value) in headers { request.headers[name] = value }
      let isLast = offset == targets.count - 1
      let response: HTTPResponse
      do throws(HTTPClientError) {
        response = try await targets[index].client.send(request)
      } catch {
        failure = CommandFailure(.unexpected, "\(targets[index].shown): \(error.message)")
        // What may have had its effect is not done a second time.
        guard error.code == .connectFailed || request.isRepeatable else { break }
        continue
      }
      if !isLast, Self.isElsewhere(response, request) {
        failure = Self.failure(response, method, path)
        continue
      }
      chosen.index.withLock { $0 = index }
      guard (200..<300).contains(response.status) || accepting.contains(response.status) else {
        throw Self.failure(response, method, path)
      }
      return response
    }
    throw failure ?? CommandFailure(.unexpected, "there is no controller to ask")
  }

  /// Whether another replica is to be asked: this one has surely done nothing.
  private static func isElsewhere(_ response: HTTPResponse, _ request: HTTPClientRequest) -> Bool {
    guard response.status >= 500 else { return false }
    let code = (try? value(of: response))?["code"].text
    return code == "not_leader" || code == "copy_not_ready" || ["GET", "HEAD"].contains(request.method)
  }

  /// A JSON document.
  func value(_ path: String) async throws -> JSONValue { try Self.value(of: try await send("GET", path)) }

  /// What the controller tells people.
  func text(_ path: String) async throws -> String {
    String(decoding: try await send("GET", path, accept: "text/plain").body, as: UTF8.self)
  }

  /// Tries again where the controller does not answer or answers 5xx, for up to a minute: one that is started anew takes a
  /// moment, and who follows something does not want to begin again.
  func patiently<Value: Sendable>(_ body: @Sendable () async throws -> Value) async throws -> Value {
    let end = ContinuousClock.now + .seconds(60)
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
  private static func failure(_ response: HTTPResponse, _ method: String, _ path: String) -> CommandFailure {
    let problem = (try? value(of: response)) ?? .null
    guard let code = problem["code"].text, let detail = problem["detail"].text else {
      return CommandFailure(.unexpected, "\(method) \(path) was answered \(response.status) by what is no controller")
    }
    let place = (problem["pointer"].text ?? problem["parameter"].text).map { " at \($0)" } ?? ""
    let advice =
      switch response.status {
      case 401: "; give a token with --token-file or PARVA_TOKEN"
      case 403: "; another token is needed for this"
      default: ""
      }
    let id = problem["requestId"].text.map { " (request \($0))" } ?? ""
    return CommandFailure(
      response.status < 500 ? .badInput : .unexpected, "\(response.status) \(code)\(place): \(detail)\(advice)\(id)")
  }
}
