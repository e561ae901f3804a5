package import Foundation
import Synchronization

/// Who sends a request, as the gate has found out. What it may is the gate's business.
///
/// One object stands for all requests of one credential, so that its end reaches those that are under way.
package final class Caller: Sendable {
  /// For logs and for people.
  package let name: String
  /// For records: tells callers of one name apart.
  package let id: String
  /// What it may, in the gate's words.
  package let role: String
  /// The node that it speaks for.
  package let node: String?
  /// The one namespace that it sees and changes; nil: whatever its role allows.
  package let namespace: String?
  /// When its right ends by itself.
  package let expiresAt: Date?

  private struct State {
    var hasEnded = false
    var nextTicket = 0
    var waiting: [Int: AsyncStream<Void>.Continuation] = [:]
  }

  private let state = Mutex(State())

  package init(
    name: String, id: String, role: String, node: String? = nil, namespace: String? = nil, expiresAt: Date? = nil
  ) {
    self.name = name
    self.id = id
    self.role = role
    self.node = node
    self.namespace = namespace
    self.expiresAt = expiresAt
  }

  /// Whether the right was taken away or has run out since it was found.
  package var hasEnded: Bool { state.withLock(\.hasEnded) }

  /// Takes the right away: streams that it opened end now, and what waits for a read is answered 401.
  package func end() {
    let waiting = state.withLock { state in
      state.hasEnded = true
      defer { state.waiting = [:] }
      return state.waiting.values
    }
    for continuation in waiting { continuation.finish() }
  }

  /// Returns once the right has ended, or the task is cancelled.
  package func untilEnded() async {
    let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
    let ticket = state.withLock { state -> Int? in
      guard !state.hasEnded else { return nil }
      state.nextTicket += 1
      state.waiting[state.nextTicket] = continuation
      return state.nextTicket
    }
    guard let ticket else { return }
    let timer = expiresAt.map { date in
      Task {
        try await Task.sleep(for: .seconds(max(0, date.timeIntervalSinceNow)))
        end()
      }
    }
    for await _ in stream {}
    timer?.cancel()
    state.withLock { $0.waiting[ticket] = nil }
  }

  /// The stream, which ends as soon as the right does; to its client it looks like any other end.
  func bounding(_ stream: @escaping HTTPResponse.Stream) -> HTTPResponse.Stream {
    { [self] writer in
      let bounded = HTTPBodyWriter { [self] bytes in
        guard !hasEnded else { throw CancellationError() }
        try await writer.write(bytes)
      }
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await stream(bounded) }
        group.addTask { await self.untilEnded() }
        do {
          try await group.next()
        } catch {
          // What was thrown because the right has ended is that end.
          guard hasEnded else { throw error }
        }
        group.cancelAll()
      }
    }
  }

  static let endedProblem = ProblemDetails(
    status: 401, code: "credentials_invalid", detail: "The right to ask has ended while this waited for its answer.",
    headers: ["WWW-Authenticate": "Bearer realm=\"parva\", error=\"invalid_token\""])
}

extension Caller {
  /// Who shares what one may have: the credentials of one namespace, or one credential that is for all.
  var share: String { namespace.map { "namespace:\($0)" } ?? id }
}
