import Foundation
import ParvaControl
package import ParvaHTTP
import Synchronization

/// How a replica speaks to the one that leads: requests are passed on once, and never twice.
package final class PeerLink: Sendable {
  /// What has become of requests that were passed on.
  enum Outcome: String, Sendable, CaseIterable {
    case answered
    /// Nobody leads, or who does cannot be reached: surely not done.
    case notLeader = "not_leader"
    /// The answer is lost: it may have been done.
    case unclear = "outcome_unknown"
  }

  /// Where the other replicas reach this one.
  package let address: String
  /// Nil where nobody has to show who he is.
  let seal: PeerSeal?
  /// Reads have connections of their own: their answers may be held back, and changes and beats do not wait behind them.
  private let reads: HTTPClient
  private let client: HTTPClient
  private let counts = Mutex<[Outcome: Int]>([:])
  private let held = Mutex(0)

  /// Most answers that the leader may hold back for callers of this replica, and connections for reads in all.
  static let (mostHeld, mostReads) = (128, 256)

  /// For a whole exchange: longer than any answer is held back.
  static let timeout = Duration.seconds(90)

  /// - Parameter tls: trust and identity of this replica towards the others.
  package init(address: String, seal: PeerSeal?, tls: HTTPClientConfiguration.TLS = .init()) {
    (self.address, self.seal) = (address, seal)
    var configuration = HTTPClientConfiguration()
    configuration.tls = tls
    configuration.connectTimeout = .seconds(2)
    configuration.timeout = Self.timeout
    configuration.retries = 0
    configuration.maxResponseBytes = 512 << 20
    configuration.maxConnectionsPerHost = 512
    configuration.followsProxies = false
    client = HTTPClient(configuration: configuration)
    configuration.maxConnectionsPerHost = Self.mostReads
    reads = HTTPClient(configuration: configuration)
  }

  package func shutdown() {
    client.shutdown()
    reads.shutdown()
  }

  var passed: [Outcome: Int] { counts.withLock { $0 } }

  /// How many answers the leader may hold back now.
  var heldNow: Int { held.withLock(\.self) }

  private func count(_ outcome: Outcome) { counts.withLock { $0[outcome, default: 0] += 1 } }

  /// The answer of another replica, which is given up once `over` returns: one that was stopped says nothing, and keeps its
  /// connections.
  static func answer<Value: Sendable>(
    _ asking: @escaping @Sendable () async throws -> Value, until over: @escaping @Sendable () async -> Void
  ) async throws -> Value {
    let asked = Task { try await asking() }
    let watching = Task {
      await over()
      asked.cancel()
    }
    defer { watching.cancel() }
    return try await withTaskCancellationHandler {
      try await asked.value
    } onCancel: {
      asked.cancel()
    }
  }

  // MARK: - Passing on

  /// Fields that are between two neighbours alone (RFC 9110, section 7.6.1), or that the gate here has judged.
  private static let neighbours: Set<String> = [
    "connection", "host", "content-length", "transfer-encoding", "keep-alive", "te", "trailer", "upgrade", "expect",
    "proxy-authorization", "proxy-connection", "accept-encoding", "origin", "sec-fetch-site", "sec-fetch-mode",
    "sec-fetch-dest", "cookie",
  ]

  /// Fields of an answer that this server writes itself.
  private static let own: Set<String> = [
    "connection", "content-length", "transfer-encoding", "keep-alive", "content-encoding", "date", "server",
    "x-request-id", "traceparent", "parva-role", "parva-position",
  ]

  typealias Passed = (response: HTTPResponse, position: Int?)

  /// The leader's answer, and how many commits its store held then.
  ///
  /// - Parameter isBeat: whether it may be sent again, since the next one says the same.
  /// - Throws: 503 `not_leader` where it was surely not done, 503 `outcome_unknown` where nobody can say, 503 `too_busy` where
  ///   enough answers are held back already.
  func pass(
    _ request: HTTPRequest, to leader: ReplicaStanding.Leader?, isBeat: Bool = false
  ) async throws(ProblemDetails) -> Passed {
    guard let leader else {
      count(.notLeader)
      throw .notLeader()
    }
    var request = request
    if request.method == "HEAD" { request.method = "GET" }
    let isHeld = Self.mayBeHeld(request)
    if isHeld { try hold() }
    defer { if isHeld { held.withLock { $0 -= 1 } } }
    var passed = try await sent(request, to: leader, isBeat)
    // What may be done twice, libcurl sends again by itself where a connection that was kept ends, and a seal is good once.
    if Self.isUnverified(passed.response), isBeat || request.method == "GET" {
      passed = try await sent(request, to: leader, isBeat)
    }
    // It is between the replicas, and no caller can do anything about it.
    if Self.isUnverified(passed.response) {
      count(.notLeader)
      throw ProblemDetails(
        status: 503, code: PeerGate.unverified.code,
        detail: "The replica that leads, at \(leader.address), does not take what this one passes on: their "
          + "--peer-secret-file, clocks or versions differ. Nothing was done.", headers: ["Retry-After": "5"])
    }
    if passed.response.status == 503, Self.code(of: passed.response) == StoreError.Code.notLeader.rawValue {
      count(.notLeader)
      throw .notLeader("The replica at \(leader.address) does not lead any more.")
    }
    count(.answered)
    return passed
  }

  private static func isUnverified(_ response: HTTPResponse) -> Bool {
    response.status == 403 && code(of: response) == PeerGate.unverified.code
  }

  /// What the leader says to the request under a seal of its own.
  private func sent(
    _ request: HTTPRequest, to leader: ReplicaStanding.Leader, _ isBeat: Bool
  ) async throws(ProblemDetails) -> Passed {
    var outgoing = addressed(request, to: leader)
    outgoing.isIdempotent = isBeat
    outgoing.isSentOnce = !isBeat && request.method != "GET"
    do throws(HTTPClientError) {
      var response = try await (request.method == "GET" ? reads : client).send(outgoing)
      let position = response.headers[PeerSeal.position].flatMap { Int($0) }
      var headers = HTTPHeaders()
      for (name, value) in response.headers.fields where !Self.own.contains(name.lowercased()) {
        headers.add(name, value)
      }
      response.headers = headers
      return (response, position)
    } catch {
      let isSafe = request.method == "GET"
      if isSafe || [.connectFailed, .tlsFailed, .badRequest, .targetForbidden].contains(error.code) {
        count(.notLeader)
        throw .notLeader("The replica that leads, at \(leader.address), cannot be reached (\(error.code.rawValue)).")
      }
      count(.unclear)
      let why = error.code == .cancelled ? "it leads no more" : error.code.rawValue
      throw .unclear("The answer of the replica that leads is lost (\(why))")
    }
  }

  /// Whether its answer may wait for something that is to happen. A plain read of the plan waits at most for a planning that
  /// is under way.
  private static func mayBeHeld(_ request: HTTPRequest) -> Bool {
    guard request.method == "GET" else { return false }
    if let wait = request.queryValue("wait") { return wait != "0" }
    return request.queryValue("after") != nil
  }

  private func hold() throws(ProblemDetails) {
    let isFree = held.withLock { held in
      guard held < Self.mostHeld else { return false }
      held += 1
      return true
    }
    guard !isFree else { return }
    throw ProblemDetails(
      status: 503, code: "too_busy",
      detail: "\(Self.mostHeld) requests that were passed on from here wait at the leader, which is all that may; ask "
        + "with wait=0, without consistent=true, or the leader itself.", headers: ["Retry-After": "1"])
  }

  private static func code(of response: HTTPResponse) -> String? {
    struct Problem: Decodable { var code: String }
    return (try? JSONDecoder().decode(Problem.self, from: response.body))?.code
  }

  /// The request as it goes to another replica.
  private func addressed(
    _ request: HTTPRequest, to leader: ReplicaStanding.Leader, timeout: Duration? = nil
  ) -> HTTPClientRequest {
    HTTPClientRequest(
      method: request.method, url: leader.address + request.target, headers: fields(of: request, for: leader),
      body: request.body, timeout: timeout)
  }

  private func fields(of request: HTTPRequest, for leader: ReplicaStanding.Leader) -> HTTPHeaders {
    var headers = HTTPHeaders()
    let ours = Set(PeerSeal.fields.map { $0.lowercased() })
    for (name, value) in request.headers.fields {
      let name = name.lowercased()
      if !Self.neighbours.contains(name), !ours.contains(name) { headers.add(name, value) }
    }
    headers["X-Request-Id"] = request.requestID
    headers[PeerSeal.by] = address
    headers[PeerSeal.identity] = PeerSeal.identity(request.clientSubject, request.clientURIs)
    seal?.seal(&headers, of: request, for: leader)
    return headers
  }

  // MARK: - Among replicas

  /// What the leader tells of the endpoints that it has made since an edition, once there are others; nil where it tells
  /// nothing now.
  func exchange(_ word: PeerExchange.Word, with leader: ReplicaStanding.Leader) async -> PeerExchange.Answer? {
    guard let body = try? JSONEncoder().encode(word) else { return nil }
    let request = HTTPRequest(
      method: "POST", path: PeerExchange.path, headers: ["Content-Type": "application/json"], body: body)
    var outgoing = addressed(request, to: leader, timeout: PeerExchange.hold + .seconds(5))
    outgoing.isIdempotent = true
    guard let response = try? await client.send(outgoing), response.status == 200 else { return nil }
    return try? JSONDecoder().decode(PeerExchange.Answer.self, from: response.body)
  }

  /// A replica, whether it leads or not.
  static func anyone(at address: String) -> ReplicaStanding.Leader { ReplicaStanding.Leader(term: 0, address: address) }

  /// What the copy of another replica has after a position; none where it gives none.
  func entries(after position: Int, at address: String) async -> [ReplicaEntry] {
    let request = HTTPRequest(
      method: "GET", path: PeerExchange.logPath, query: [(name: "after", value: String(position))])
    let asked = addressed(request, to: Self.anyone(at: address), timeout: .seconds(1))
    guard let response = try? await reads.send(asked), response.status == 200 else { return [] }
    return (try? JSONDecoder().decode([ReplicaEntry].self, from: response.body)) ?? []
  }

  /// Who is reached at the address that a replica advertises.
  func member(at address: String) async -> ReplicaFinding.Reach {
    let request = HTTPRequest(method: "GET", path: PeerExchange.whoPath)
    let asked = addressed(request, to: Self.anyone(at: address), timeout: .seconds(3))
    do throws(HTTPClientError) {
      let response = try await reads.send(asked)
      guard response.status == 200, response.body.count <= 64 else {
        // One that has just been started knows none of these routes yet; somebody else never does.
        return .fails("status \(response.status)")
      }
      return .answers(id: String(decoding: response.body, as: UTF8.self))
    } catch {
      return .fails(error.code.rawValue)
    }
  }
}
