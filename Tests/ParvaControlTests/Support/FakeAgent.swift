import Foundation
import Logging
import ParvaControlTestSupport
import ParvaHTTP
import ParvaWire
import Synchronization
import Testing

/// Stands where an agent would: takes assignments over real HTTP and answers as a test says. No GPU is behind it.
final class FakeAgent: Sendable {
  /// How an agent answers one slice.
  enum Answer: Sendable {
    case verified
    /// Works until ``finish()``.
    case working
    case ended(NodeOperationDocument.Status, code: String)
    case problem(Int, code: String)
  }

  struct Received: Sendable {
    var wanted: NodeAssignment
    var headers: HTTPHeaders
    var body: Data
    var time = Date()
  }

  private struct State {
    var answers: [Answer]
    var received: [Received] = []
    /// Headers of the looks at operations.
    var looks: [HTTPHeaders] = []
    var operations: [String: NodeOperationDocument] = [:]
    var waiters: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
  }

  private let state: Mutex<State>
  private let server: HTTPServer
  let address: String

  /// - Parameter answers: for one slice after the other; the last one for all further ones.
  init(_ answers: Answer...) throws {
    state = Mutex(State(answers: answers))
    var quiet = Logger(label: "agent")
    quiet.logLevel = .critical
    let holder = Holder()
    var configuration = HTTPServer.Configuration(addresses: ["127.0.0.1:0"])
    configuration.loops = 1
    server = HTTPServer(
      configuration: configuration,
      router: Router(
        routes: [
          Route("POST", "/v1/apply", .async { try holder.agent().apply($0) }),
          Route("GET", "/v1/operations/{id}", .async { try holder.agent().operation($0) }),
        ], logger: quiet), logger: quiet)
    address = "http://" + (try server.start()[0])
    holder.box.withLock { $0 = self }
  }

  private final class Holder: Sendable {
    let box = Mutex<FakeAgent?>(nil)
    func agent() throws -> FakeAgent { try #require(box.withLock { $0 }) }
  }

  var received: [Received] { state.withLock(\.received) }
  var looks: [HTTPHeaders] { state.withLock(\.looks) }

  /// Returns once `count` assignments have come.
  func untilReceived(_ count: Int) async {
    await withCheckedContinuation { continuation in
      let isThere = state.withLock { state in
        if state.received.count >= count { return true }
        state.waiters.append((count, continuation))
        return false
      }
      if isThere { continuation.resume() }
    }
  }

  /// How it answers from now on.
  func answer(_ answers: [Answer]) { state.withLock { $0.answers = answers } }

  /// Ends everything that works.
  func finish() {
    state.withLock { state in
      for id in state.operations.keys where state.operations[id]?.status == .running {
        state.operations[id]?.status = .verified
      }
    }
  }

  /// Forgets its operations, as a restart does.
  func restart() { state.withLock { $0.operations = [:] } }

  func shutdown() async { await server.shutdown(deadline: .zero) }

  private func apply(_ request: HTTPRequest) throws -> HTTPResponse {
    let wanted = try JSONDecoder().decode(PushedAssignment.self, from: request.body).wanted
    // Whoever waits for a slice finds its operation there.
    let (outcome, waiters) = state.withLock { state in
      state.received.append(Received(wanted: wanted, headers: request.headers, body: request.body))
      let answer = state.answers.count > 1 ? state.answers.removeFirst() : state.answers[0]
      let outcome = Self.outcome(of: answer, number: state.received.count, wanted.version)
      if case .success(let document) = outcome { state.operations[document.id] = document }
      let ready = state.waiters.filter { $0.count <= state.received.count }
      state.waiters.removeAll { $0.count <= state.received.count }
      return (outcome, ready)
    }
    for waiter in waiters { waiter.continuation.resume() }
    return try Self.json(202, outcome.get())
  }

  private static func outcome(
    of answer: Answer, number: Int, _ version: AssignmentVersion
  ) -> Result<NodeOperationDocument, ProblemDetails> {
    var document = NodeOperationDocument(
      id: "op-\(number)", kind: "apply", revision: version.revision,
      phase: version.phase == 0 ? nil : version.phase, status: .verified, simulated: true)
    switch answer {
    case .verified: break
    case .working: document.status = .running
    case .ended(let status, let code):
      document.status = status
      document.failure = .init(code: code, detail: "as the test wants it")
    case .problem(let status, let code):
      return .failure(ProblemDetails(status: status, code: code, detail: "as the test wants it"))
    }
    return .success(document)
  }

  private func operation(_ request: HTTPRequest) throws -> HTTPResponse {
    let document = state.withLock { state in
      state.looks.append(request.headers)
      return state.operations[request.pathParameters["id"] ?? ""]
    }
    guard let document else {
      throw ProblemDetails(status: 404, code: "not_found", detail: "forgotten")
    }
    return try Self.json(200, document)
  }

  private static func json(_ status: Int, _ document: NodeOperationDocument) throws -> HTTPResponse {
    HTTPResponse(status: status, contentType: "application/json", body: try JSONEncoder().encode(document))
  }
}

extension FakeAgent {
  /// Node `n` with its two GPUs as they are once all is done that it was told last; `lost` is a GPU that has a fault since.
  func state(lost: String? = nil) throws -> NodeStateDocument {
    let wanted = try #require(received.last?.wanted)
    var gpus = try (0..<2).map { index in
      let instances = wanted.gpus.first { $0.uuid == FleetSamples.uuid("n", index) }?.instances ?? []
      return try FleetSamples.gpu("n", index, instances: instances.map { (profile: $0.profileID, start: $0.start) })
    }
    for index in gpus.indices where gpus[index].uuid == lost { gpus[index].fault = "gpu_is_lost" }
    var state = FleetSamples.state("n", gpus)
    state.verified = VerifiedDocument(wanted.version)
    return state
  }
}
