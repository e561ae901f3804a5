package import Foundation

/// The chunks of a request body in order, each handed over once.
///
/// The next chunk is read from the socket only after the last one was taken, so a slow handler slows its client down
/// instead of filling memory.
package struct HTTPBodyStream: AsyncSequence, Sendable {
  package typealias Element = Data

  private let pull: @Sendable () async throws -> Data?

  /// - Parameter pull: gives the next chunk, nil at the end; throws `ProblemDetails` when the body breaks off.
  package init(pull: @escaping @Sendable () async throws -> Data?) { self.pull = pull }

  package struct AsyncIterator: AsyncIteratorProtocol {
    fileprivate let pull: @Sendable () async throws -> Data?

    package mutating func next() async throws -> Data? { try await pull() }
  }

  package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(pull: pull) }
}
