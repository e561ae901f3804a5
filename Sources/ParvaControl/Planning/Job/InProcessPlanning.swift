package import ParvaEngine
import ParvaServing

/// Plans in this process, on a thread of its own: for tests, and where a planner's trap may end everything.
package final class InProcessPlanning: PlanningBackend {
  /// Planners take a whole core for as long as they need; Swift's own threads stay free for requests.
  private let queue = WorkQueue("parva.planning", yields: true)

  package init() {}

  package func plan(_ job: PlanningJob) async throws(PlanningFailure) -> Plan {
    do throws(PlanningFault) {
      return try await queue.run { () throws(PlanningFault) in try PlanningDuty.perform(job) }
    } catch {
      throw .refused(error)
    }
  }

  package func stop() {}
}
