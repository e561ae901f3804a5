import Dispatch
package import ParvaEngine

/// Where plans are worked out.
package protocol PlanningBackend: Sendable {
  /// The judged plan. One job at a time; others wait in order.
  func plan(_ job: PlanningJob) async throws(PlanningFailure) -> Plan
  /// Ends what runs; no job succeeds after it.
  func stop()
}

/// Why a job gave no plan. The process that asked goes on in every case.
package enum PlanningFailure: Error, Hashable, Sendable, CustomStringConvertible {
  /// The planner's plan broke a rule.
  case refused(PlanningFault)
  /// The process that planned came to its end; `isFresh` where this was its first job.
  case ended(WorkerEnd, isFresh: Bool)
  /// Nobody wants plans any more.
  case stopped

  /// Stable, for logs, metrics and clients.
  package var code: String {
    switch self {
    case .refused: "plan_refused"
    case .ended(let end, _): end.code
    case .stopped: "stopped"
    }
  }

  package var description: String {
    switch self {
    case .refused(let fault): fault.description
    case .ended(let end, _): end.description
    case .stopped: "the controller stops"
    }
  }

  /// Whether the same job may well succeed in a fresh process.
  ///
  /// Planners are deterministic but for the clock and what a process has gathered before: a trap in the first job of a
  /// process, too much memory there or too much time will come again.
  var mayBeTransient: Bool {
    switch self {
    case .refused, .stopped: false
    case .ended(let end, let isFresh):
      switch end {
      case .signal(let signal): !isFresh || !WorkerEnd.traps.contains(signal)
      case .status, .garbled, .notStarted: true
      case .tooMuchMemory: !isFresh
      case .tooLong: false
      }
    }
  }
}

/// Plans in this process, on a thread of its own: for tests, and where a planner's trap may end everything.
package final class InProcessPlanning: PlanningBackend {
  /// Planners take a whole core for as long as they need; Swift's own threads stay free for requests.
  private let queue = DispatchQueue(label: "parva.planning", qos: .utility)

  package init() {}

  package func plan(_ job: PlanningJob) async throws(PlanningFailure) -> Plan {
    let result = await withCheckedContinuation { continuation in
      queue.async {
        continuation.resume(returning: Result { () throws(PlanningFault) in try PlanningDuty.perform(job) })
      }
    }
    do throws(PlanningFault) {
      return try result.get()
    } catch {
      throw .refused(error)
    }
  }

  package func stop() {}
}
