import Foundation
import Synchronization
import Testing

/// Runs tests that block or compute for long on a few threads of their own, so that the pools that the product uses stay
/// free for what those tests wait for.
struct BlockingTrait: SuiteTrait, TestTrait, TestScoping {
  private final class Threads: TaskExecutor {
    static let shared = Threads(8)
    private let jobs = Mutex<[UnownedJob]>([])
    private let isThere = DispatchSemaphore(value: 0)

    init(_ count: Int) {
      for _ in 0..<count { Thread.detachNewThread { [self] in work() } }
    }

    func enqueue(_ job: consuming ExecutorJob) {
      let job = UnownedJob(job)
      jobs.withLock { $0.append(job) }
      isThere.signal()
    }

    private func work() -> Never {
      while true {
        isThere.wait()
        let job = jobs.withLock { $0.removeFirst() }
        job.runSynchronously(on: asUnownedTaskExecutor())
      }
    }
  }

  var isRecursive: Bool { true }

  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    try await withTaskExecutorPreference(Threads.shared) { try await function() }
  }
}

extension Trait where Self == BlockingTrait {
  static var blocking: Self { Self() }
}
