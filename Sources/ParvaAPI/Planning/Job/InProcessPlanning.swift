import Dispatch
package import ParvaEngine

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
