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
    /// For one attempt at one member.
    var patience = Duration.seconds(1)
  }

  /// What may become of a request.
  enum Failure: Error {
    /// Refused by etcd for a reason of its own; nothing was done.
    case refused(code: Int, message: String)
    /// Nobody was reached: nothing was done.
    case unreachable(String)
    /// Sent, and no answer came: it may have been done, and may be done yet.
    case unknown(String)
  }

  struct KeyValue: Decodable, Sendable {
    var key: Data
    var value: Data?
    var createRevision: String?
  }

  struct Header: Decodable, Sendable { var revision: String? }

  struct RangeResponse: Decodable, Sendable {
    var kvs: [KeyValue]?
    var more: Bool?
  }

  struct TransactionResponse: Decodable, Sendable {
    struct Part: Decodable, Sendable { var responseRange: RangeResponse? }

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
  private let token = Mutex<String?>(nil)

  init(_ settings: Settings) {
    self.settings = settings
    var configuration = HTTPClientConfiguration()
    configuration.tls = settings.tls
    configuration.followsProxies = false
    configuration.retries = 0
    configuration.connectTimeout = settings.patience
    configuration.maxResponseBytes = 512 << 20
    http = HTTPClient(configuration: configuration)
  }

  func shutdown() { http.shutdown() }

  /// For one attempt at one member, where a call names none.
  var patience: Duration { settings.patience }

  private static func read<Answer: Decodable>(_ bytes: Data) -> Answer? {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try? decoder.decode(Answer.self, from: bytes)
  }

  /// Asks one member, and has the next one asked the next time where it fails.
  func call<Answer: Decodable>(
    _ path: String, _ body: String, patience: Duration? = nil
  ) async throws(Failure) -> Answer {
    let index = current.load(ordering: .relaxed)
    let endpoint = settings.endpoints[index % settings.endpoints.count]
    do throws(Failure) {
      return try await ask(endpoint, path, body, patience ?? settings.patience)
    } catch {
      if case .refused(let code, _) = error, code != 14, code != 4 { throw error }
      _ = current.compareExchange(expected: index, desired: index + 1, ordering: .relaxed)
      throw error
    }
  }

  /// Asks once more where the token had run out: such a request was not done.
  private func ask<Answer: Decodable>(
    _ endpoint: String, _ path: String, _ body: String, _ patience: Duration
  ) async throws(Failure) -> Answer {
    let hadToken = token.withLock { $0 != nil }
    do {
      return try await askOnce(endpoint, path, body, patience)
    } catch {
      guard case .refused = error, hadToken, token.withLock({ $0 == nil }) else { throw error }
    }
    return try await askOnce(endpoint, path, body, patience)
  }

  private func askOnce<Answer: Decodable>(
    _ endpoint: String, _ path: String, _ body: String, _ patience: Duration
  ) async throws(Failure) -> Answer {
    var headers: HTTPHeaders = ["Content-Type": "application/json"]
    if let token = try await authorization(endpoint) { headers["Authorization"] = token }
    let response: HTTPResponse
    do {
      response = try await http.send(
        HTTPClientRequest(
          method: "POST", url: endpoint + path, headers: headers, body: Data(body.utf8), timeout: patience))
    } catch {
      switch error.code {
      case .badRequest, .connectFailed, .tlsFailed, .targetForbidden, .closed:
        throw .unreachable("\(endpoint): \(error.cause)")
      default: throw .unknown("\(endpoint): \(error.cause)")
      }
    }
    if response.status == 200, let answer: Answer = Self.read(response.body) { return answer }
    let problem: Problem? = Self.read(response.body)
    let message = problem?.message ?? problem?.error ?? "status \(response.status)"
    if problem?.code == 16 || message.contains("auth token") || message.contains("auth store is old") {
      token.withLock { $0 = nil }
    }
    // Deadline exceeded, unavailable, unknown (a leader that changed): such a proposal may have gone through.
    if [nil, 1, 2, 4, 10, 13, 14].contains(problem?.code) { throw .unknown("\(endpoint): \(message)") }
    throw .refused(code: problem?.code ?? 2, message: message)
  }

  private func authorization(_ endpoint: String) async throws(Failure) -> String? {
    guard let user = settings.user else { return nil }
    if let token = token.withLock(\.self) { return token }
    struct Answer: Decodable { var token: String }
    let body = try? JSONSerialization.data(withJSONObject: ["name": user, "password": settings.password ?? ""])
    let response: HTTPResponse
    do {
      response = try await http.send(
        HTTPClientRequest(
          method: "POST", url: endpoint + "/v3/auth/authenticate", headers: ["Content-Type": "application/json"],
          body: body ?? Data(), timeout: settings.patience))
    } catch {
      throw .unreachable("\(endpoint): \(error.cause)")
    }
    guard let answer = try? JSONDecoder().decode(Answer.self, from: response.body) else {
      throw .refused(code: 16, message: "etcd takes neither user nor password")
    }
    token.withLock { $0 = answer.token }
    return answer.token
  }
}

/// Parts of requests, as JSON. Nothing in them needs to be escaped.
extension EtcdClient {
  private static func base64(_ text: String) -> String { Data(text.utf8).base64EncodedString() }

  static func put(_ key: String, _ value: Data, lease: String = "0") -> String {
    """
    {"request_put":{"key":"\(base64(key))","value":"\(value.base64EncodedString())","lease":"\(lease)"}}
    """
  }

  /// - Parameter end: the first key that is not meant; nil for one key alone.
  static func range(_ key: String, to end: String? = nil, limit: Int = 0) -> String {
    let end = end.map { #","range_end":"\#(base64($0))""# } ?? ""
    return #"{"request_range":{"key":"\#(base64(key))"\#(end),"limit":"\#(limit)"}}"#
  }

  static func delete(_ key: String, to end: String) -> String {
    #"{"request_delete_range":{"key":"\#(base64(key))","range_end":"\#(base64(end))"}}"#
  }

  /// A key was created at this revision; 0: it is not there.
  static func created(_ key: String, at revision: Int) -> String {
    #"{"key":"\#(base64(key))","target":"CREATE","result":"EQUAL","create_revision":"\#(revision)"}"#
  }

  func transaction(
    if compares: [String], then success: [String], else failure: [String] = [], patience: Duration? = nil
  ) async throws(Failure) -> TransactionResponse {
    let lists = [compares, success, failure].map { "[" + $0.joined(separator: ",") + "]" }
    return try await call(
      "/v3/kv/txn", #"{"compare":\#(lists[0]),"success":\#(lists[1]),"failure":\#(lists[2])}"#, patience: patience)
  }
}
