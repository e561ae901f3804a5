import Dispatch

/// Blocking work, one piece after the other, on a thread of its own: the threads that tasks run on are few and must not
/// wait for a driver or a disk.
struct WorkQueue: Sendable {
  private let queue: DispatchQueue

  init(_ label: String) { queue = DispatchQueue(label: label) }

  func add(_ work: @escaping @Sendable () -> Void) { queue.async(execute: work) }

  /// Returns when the work, and all that was added before it, is done.
  func run<Value: Sendable, Failure>(
    _ work: @escaping @Sendable () throws(Failure) -> Value
  ) async throws(Failure) -> Value {
    let result = await withCheckedContinuation { (done: CheckedContinuation<Result<Value, Failure>, Never>) in
      queue.async { done.resume(returning: Result(catching: work)) }
    }
    return try result.get()
  }
}
