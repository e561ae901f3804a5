import ParvaEngine

/// What is tried for a plan when a planner fails: once more where that may help, then a simple planner, then what still
/// serves of the plan in force. Where nothing gives a plan, the plan in force stays.
struct PlanningLadder: Sendable {
  struct Outcome: Sendable {
    var plan: Plan
    /// What went wrong on the way, in order.
    var failures: [PlanningFailure] = []
    /// Whether the plan is not the planner's own.
    var isResort = false
  }

  /// Nothing gave a plan; at least one failure, in order.
  struct Failed: Error {
    var failures: [PlanningFailure]
  }

  let backend: any PlanningBackend
  /// Planners that stand in, the better one first.
  let resorts: [any Planner] = [ParvaGPUPlanner(), StandingPlanner()]

  /// - Parameter retries: whether a failure that may be transient is worth a second attempt; not where the last attempt
  ///   has failed, too.
  func plan(_ job: PlanningJob, retries: Bool) async throws(Failed) -> Outcome {
    var failures: [PlanningFailure] = []
    for attempt in 0...1 where attempt == 0 || retries && failures[0].mayBeTransient {
      do throws(PlanningFailure) {
        return Outcome(plan: try await backend.plan(job), failures: failures)
      } catch {
        failures.append(error)
      }
    }
    let asked = job.input.workloads
    for planner in resorts where planner.name != job.planner.name && failures.last != .stopped {
      var resort = job
      resort.planner = planner
      resort.isResort = true
      do throws(PlanningFailure) {
        let plan = try await backend.plan(resort)
        // A plan that serves no workload is no improvement on whatever is in force.
        guard asked.isEmpty || ServedDemand(by: plan, of: asked).isAny else { continue }
        return Outcome(plan: plan, failures: failures, isResort: true)
      } catch {
        failures.append(error)
      }
    }
    throw Failed(failures: failures)
  }
}
