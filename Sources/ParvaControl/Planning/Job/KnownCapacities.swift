import ParvaEngine

/// What a planning process knows of capacities from one job to the next.
struct KnownCapacities {
  /// A plan and what was found out on the way to it.
  struct Answer {
    var plan: Plan
    var changes: CapacityChanges
    /// See ``CapacityNews/trials``.
    var trials: Int
  }

  private(set) var cache = CapacityCache()
  /// Whether some of it was found out elsewhere.
  private var isTold = false

  init() {}

  init(told facts: [CapacityFacts]) {
    guard !facts.isEmpty else { return }
    (cache, isTold) = (CapacityCache(knowing: facts), true)
  }

  /// What ``PlanningDuty`` makes of a job. The judge knows nothing of what was told, so what tells lies is found out by a plan that is
  /// refused: then all of it is forgotten, and the plan is made anew.
  mutating func perform(_ job: PlanningJob) throws(PlanningFault) -> Answer {
    do throws(PlanningFault) {
      return try attempt(job)
    } catch {
      guard isTold else { throw error }
      self = KnownCapacities()
      var answer = try attempt(job)
      answer.changes.forgetsOthers = true
      return answer
    }
  }

  private func attempt(_ job: PlanningJob) throws(PlanningFault) -> Answer {
    var job = job
    job.input.capacities = cache
    let plan = try PlanningDuty.perform(job)
    let news = cache.news()
    return Answer(plan: plan, changes: CapacityChanges(facts: news.facts), trials: news.trials)
  }
}
