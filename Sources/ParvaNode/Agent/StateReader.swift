import ParvaServing
package import ParvaWire
import Synchronization

/// Reads the driver for many askers at once: they share one reading, and none waits longer than the deadline even when
/// the driver hangs.
package final class StateReader: Sendable {
  private struct State {
    var waiting: [Int: CheckedContinuation<ObservedNode, any Error>] = [:]
    var next = 0
    /// How long the reading that runs has taken; nil when none runs.
    var elapsed: (@Sendable () -> Duration)?
  }

  private let driver: any GPUDriver
  private let clock: any Clock<Duration>
  private let queue = WorkQueue("parva.node.read")
  private let state = Mutex(State())

  init(driver: any GPUDriver, clock: any Clock<Duration> = ContinuousClock()) {
    self.driver = driver
    self.clock = clock
  }

  /// How long the driver has not answered the running reading; nil when none runs.
  package var unanswered: Duration? { state.withLock { $0.elapsed?() } }

  /// Throws ``DriverError`` with code `timeout` when the driver does not answer in time.
  package func observe(within deadline: Duration = .seconds(10)) async throws -> ObservedNode {
    try await withCheckedThrowingContinuation { continuation in
      let (ticket, isFirst) = state.withLock { state in
        state.next += 1
        state.waiting[state.next] = continuation
        let isFirst = state.elapsed == nil
        if isFirst { state.elapsed = clock.stopwatch() }
        return (state.next, isFirst)
      }
      if isFirst {
        queue.add { [self] in
          let result = Result { () throws(DriverError) in try driver.observe() }.mapError { $0 as any Error }
          let waiting = state.withLock { state in
            defer { state.waiting = [:] }
            state.elapsed = nil
            return state.waiting.values
          }
          for continuation in waiting { continuation.resume(with: result) }
        }
      }
      Task { [self] in
        try? await clock.sleep(for: deadline)
        state.withLock { $0.waiting.removeValue(forKey: ticket) }?.resume(
          throwing: DriverError(
            code: "timeout", call: "observe", detail: "the driver has not answered within \(deadline)"))
      }
    }
  }
}

extension Clock<Duration> {
  /// Time from now on.
  fileprivate func stopwatch() -> @Sendable () -> Duration {
    let start = now
    return { start.duration(to: now) }
  }
}
