import Dispatch

/// Blocking work, one piece after the other, on a thread of its own: the threads that tasks run on are few and must not
/// wait for a driver or a disk.
package struct WorkQueue: Sendable {
  private let queue: DispatchQueue

  /// - Parameter yields: whether requests go before this work where cores are short.
  package init(_ label: String, yields: Bool = false) {
    queue = DispatchQueue(label: label, qos: yields ? .utility : .unspecified)
  }

  package func add(_ work: @escaping @Sendable () -> Void) { queue.async(execute: work) }

  package func add(after pause: Duration, _ work: @escaping @Sendable () -> Void) {
    queue.asyncAfter(deadline: .now() + pause.seconds, execute: work)
  }

  /// Returns when the work, and all that was added before it, is done.
  package func run<Value: Sendable, Failure>(
    _ work: @escaping @Sendable () throws(Failure) -> Value
  ) async throws(Failure) -> Value {
    let result = await withCheckedContinuation { (done: CheckedContinuation<Result<Value, Failure>, Never>) in
      queue.async { done.resume(returning: Result(catching: work)) }
    }
    return try result.get()
  }
}
