import Foundation
import ParvaHTTP
import Synchronization

/// etcd by its JSON gateway: several members, of which the next is asked where one does not answer.
///
/// Keys and values are base64 in JSON, 64-bit numbers are strings (etcd 3.4, `api/etcdserverpb`).
final class EtcdClient: Sendable {
  struct Settings: Sendable {
    /// Of each member, `http://host:port`.
    var endpoints: [String]
    var tls = HTTPClientConfiguration.TLS()
    var user: String?
    var password: String?
    /// For one attempt at one member, where members answer quickly.
    var patience = Duration.seconds(1)
  }

  /// What may become of a request.
  enum Failure: Error {
    /// Refused by etcd for a reason of its own; nothing was done.
    case refused(code: Int, message: String)
    /// Nobody was reached, or nobody has time: nothing was done.
    case unreachable(String)
    /// Sent, and no answer came: it may have been done, and may be done yet.
    case unknown(String)
  }

  struct KeyValue: Decodable, Sendable {
    var key: Data
    var value: Data?
    var createRevision: String?
    var modRevision: String?
    /// Absent where it has none.
    var lease: String?
  }

  struct Header: Decodable, Sendable { var revision: String? }

  struct Range: Decodable, Sendable {
    var kvs: [KeyValue]?
    var more: Bool?
    /// Absent where it is 0.
    var count: String?

    var first: KeyValue? { kvs?.first }
  }

  struct TransactionResponse: Decodable, Sendable {
    struct Part: Decodable, Sendable { var responseRange: Range? }

    var header: Header
    var succeeded: Bool?
    var responses: [Part]?
  }

  private struct Problem: Decodable {
    var message: String?
    var error: String?
    var code: Int?
  }

  private let settings: Settings
  private let http: HTTPClient
  /// Index of the member that answered last.
  private let current = Atomic(0)
  private let waiting: Mutex<EtcdPatience>
  private let token = Mutex<String?>(nil)
  /// The sign-in under way: members take their time for each.
  private let signing = Mutex<Task<Result<String, Failure>, Never>?>(nil)

  init(_ settings: Settings) {
    self.settings = settings
    var configuration = HTTPClientConfiguration()
    configuration.tls = settings.tls
    configuration.followsProxies = false
    configuration.retries = 0
    configuration.connectTimeout = settings.patience
    configuration.maxResponseBytes = 512 << 20
    http = HTTPClient(configuration: configuration)
    waiting = Mutex(EtcdPatience(settings.patience))
  }

  func shutdown() { http.shutdown() }

  /// For one attempt at one member, where a call names none.
  var patience: Duration { waiting.withLock(\.now) }

  private static func read<Answer: Decodable>(_ bytes: Data) -> Answer? {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try? decoder.decode(Answer.self, from: bytes)
  }

  /// Asks one member, and has the next one asked the next time where it fails.
  ///
  /// - Parameter isRepeatable: whether it may go over a kept connection, where libcurl may send it twice.
  func call<Answer: Decodable>(
    _ path: String, _ body: String, patience: Duration? = nil, isRepeatable: Bool = false
  ) async throws(Failure) -> Answer {
    let index = current.load(ordering: .relaxed)
    let endpoint = settings.endpoints[index % settings.endpoints.count]
    var request = HTTPClientRequest(
      method: "POST", url: endpoint + path, headers: ["Content-Type": "application/json"], body: Data(body.utf8),
      timeout: patience ?? self.patience)
    request.isIdempotent = isRepeatable
    let begun = ContinuousClock.now
    do throws(Failure) {
      let answer: Answer = try await ask(endpoint, request)
      if patience == nil { waiting.withLock { $0.answered(after: begun.duration(to: .now)) } }
      return answer
    } catch {
      if case .unknown = error, patience == nil, let limit = request.timeout, begun.duration(to: .now) >= limit {
        waiting.withLock { $0.waitedInVain() }
      }
      if case .refused(let code, _) = error, code != 0 { throw error }
      _ = current.compareExchange(expected: index, desired: index + 1, ordering: .relaxed)
      throw error
    }
  }

  /// Signs in once more where the token had run out: such a request was not done.
  private func ask<Answer: Decodable>(
    _ endpoint: String, _ request: HTTPClientRequest
  ) async throws(Failure) -> Answer {
    for _ in 0..<2 {
      let used = try await authorization(endpoint)
      var request = request
      if let used { request.headers["Authorization"] = used }
      do throws(Failure) {
        return try await send(request, to: endpoint)
      } catch {
        guard case .refused(let code, let message) = error, let used, Self.isStale(code, message) else { throw error }
        // Another request may have got a new one meanwhile.
        token.withLock { if $0 == used { $0 = nil } }
      }
    }
    throw .unreachable("\(endpoint): it takes no token that it has just given")
  }

  /// Asks a member without an end, and gives the body of its answer away as it comes.
  func stream(_ path: String, _ body: String, _ receive: @escaping @Sendable (Data) -> Bool) async throws(Failure) {
    let index = current.load(ordering: .relaxed)
    let endpoint = settings.endpoints[index % settings.endpoints.count]
    var request = HTTPClientRequest(
      method: "POST", url: endpoint + path, headers: ["Content-Type": "application/json"], body: Data(body.utf8),
      timeout: .seconds(600))
    request.receive = receive
    do throws(Failure) {
      let _: Nothing = try await ask(endpoint, request)
    } catch {
      if Task.isCancelled { throw error }
      _ = current.compareExchange(expected: index, desired: index + 1, ordering: .relaxed)
      throw error
    }
  }

  /// What a stream says of the token it was begun with.
  func renewWhereStale(_ message: String) {
    if Self.isStale(0, message) { token.withLock { $0 = nil } }
  }

  private static func isStale(_ code: Int, _ message: String) -> Bool {
    code == 16 || message.contains("auth token") || message.contains("auth store is old")
      || message.contains("revision of auth store")
  }

  private func send<Answer: Decodable>(
    _ request: HTTPClientRequest, to endpoint: String
  ) async throws(Failure) -> Answer {
    let response: HTTPResponse
    do {
      response = try await http.send(request)
    } catch {
      switch error.code {
      case .badRequest, .connectFailed, .tlsFailed, .targetForbidden:
        throw .unreachable("\(endpoint): \(error.cause)")
      default: throw .unknown("\(endpoint): \(error.cause)")
      }
    }
    if response.status == 200 {
      if request.receive != nil, let none: Answer = Self.read(Data("{}".utf8)) { return none }
      guard let answer: Answer = Self.read(response.body) else {
        throw .unknown("\(endpoint): its answer is none of etcd's")
      }
      return answer
    }
    let problem: Problem? = Self.read(response.body)
    guard let code = problem?.code else {
      let text = "status \(response.status), \(Self.excerpt(response.body))"
      // What is no JSON comes from the gateway before it asks etcd, or from somebody else.
      let isFinal = (400..<500).contains(response.status) && ![408, 429].contains(response.status)
      if isFinal { throw .refused(code: 0, message: text) }
      throw .unknown("\(endpoint): \(text)")
    }
    let message = problem?.message ?? problem?.error ?? "code \(code)"
    // Deadline exceeded, unavailable, unknown (a leader that changed): such a proposal may have gone through.
    if [1, 2, 4, 10, 13, 14].contains(code) { throw .unknown("\(endpoint): \(message)") }
    // A member that has too much to do takes no proposal; it takes them again soon.
    if code == 8, message.contains("too many requests") { throw .unreachable("\(endpoint): \(message)") }
    throw .refused(code: code, message: message)
  }

  /// The beginning of what somebody has answered, fit for a line of a log.
  private static func excerpt(_ body: Data) -> String {
    let text = String(decoding: body.prefix(200), as: UTF8.self)
    return text.split { $0.isWhitespace || $0.unicodeScalars.contains { $0.properties.generalCategory == .control } }
      .joined(separator: " ")
  }

  private func authorization(_ endpoint: String) async throws(Failure) -> String? {
    guard let user = settings.user else { return nil }
    if let token = token.withLock(\.self) { return token }
    let signIn = signing.withLock { signing in
      if let signing { return signing }
      let task = Task { () -> Result<String, Failure> in
        let result: Result<String, Failure>
        do throws(Failure) {
          result = .success(try await self.signIn(endpoint, user))
        } catch {
          result = .failure(error)
        }
        self.signing.withLock { $0 = nil }
        return result
      }
      signing = task
      return task
    }
    return try await signIn.value.get()
  }

  private func signIn(_ endpoint: String, _ user: String) async throws(Failure) -> String {
    struct Answer: Decodable { var token: String }
    let body = try? JSONSerialization.data(withJSONObject: ["name": user, "password": settings.password ?? ""])
    let answer: Answer
    do throws(Failure) {
      answer = try await send(
        HTTPClientRequest(
          method: "POST", url: endpoint + "/v3/auth/authenticate", headers: ["Content-Type": "application/json"],
          body: body ?? Data(), timeout: max(settings.patience, .seconds(3))), to: endpoint)
    } catch {
      switch error {
      // What was asked for was not even sent.
      case .unknown(let what): throw .unreachable(what)
      case .refused(_, let message) where message.contains("invalid user ID or password"):
        throw .refused(code: 16, message: "it does not take user \(user) with the password of --etcd-password-file")
      case .refused(_, let message) where message.contains("not enabled"):
        throw .refused(code: 9, message: "it has no users (etcdctl auth enable), but --etcd-user names one")
      default: throw error
      }
    }
    token.withLock { $0 = answer.token }
    return answer.token
  }
}
