import Dispatch
package import ParvaWire
import Synchronization

/// Reads the driver for many askers at once: they share one reading, and none waits longer than the deadline even when
/// the driver hangs.
package final class StateReader: Sendable {
  private struct State {
    var waiting: [Int: CheckedContinuation<ObservedNode, any Error>] = [:]
    var next = 0
    var since: ContinuousClock.Instant?
  }

  private let driver: any GPUDriver
  private let queue = DispatchQueue(label: "parva.node.read")
  private let state = Mutex(State())

  package init(driver: any GPUDriver) { self.driver = driver }

  /// How long the driver has not answered the running reading; nil when none runs.
  package var unanswered: Duration? { state.withLock { $0.since.map { .now - $0 } } }

  /// Throws ``DriverError`` with code `timeout` when the driver does not answer in time.
  package func observe(within deadline: Duration = .seconds(10)) async throws -> ObservedNode {
    try await withCheckedThrowingContinuation { continuation in
      let (ticket, first) = state.withLock { state in
        state.next += 1
        state.waiting[state.next] = continuation
        let first = state.since == nil
        if first { state.since = .now }
        return (state.next, first)
      }
      if first {
        queue.async { [self] in
          let result: Result<ObservedNode, any Error>
          do {
            result = .success(try driver.observe())
          } catch {
            result = .failure(error)
          }
          let waiting = state.withLock { state in
            defer { state.waiting = [:] }
            state.since = nil
            return state.waiting.values
          }
          for continuation in waiting { continuation.resume(with: result) }
        }
      }
      let seconds = Double(deadline.components.seconds) + Double(deadline.components.attoseconds) / 1e18
      DispatchQueue.global().asyncAfter(deadline: .now() + seconds) { [self] in
        let late = state.withLock { $0.waiting.removeValue(forKey: ticket) }
        late?.resume(
          throwing: DriverError(
            code: "timeout", call: "observe", detail: "the driver has not answered within \(deadline)"))
      }
    }
  }
}
