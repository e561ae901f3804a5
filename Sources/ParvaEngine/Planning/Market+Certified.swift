import Synchronization

extension Market {
  /// Workloads that ask the same tables: they differ in rate and objective alone.
  private struct Group: Hashable {
    var model: String
    var arrivals: ArrivalProcess
    var percentile: Double
  }

  /// One table to be asked, with where its answers go.
  private struct Job: Sendable {
    var admission: CertifiedAdmission
    var kind: Int
    var steps: [Int]
  }

  /// The offers of rule `certified`, workload by workload. Tables are asked in parallel, each by one thread; what the
  /// cache holds already costs a look-up a workload and column.
  func certifiedOffers(_ context: PlanningContext) -> [Offer] {
    var groups: [Group: Int] = [:]
    // By group: the workload that stands for it, and the steps of all its objectives with their places in the answers.
    var representatives: [Int] = []
    var steps: [[Int: Int]] = []
    var asking = [(group: Int, step: Int)](repeating: (0, 0), count: input.workloads.count)
    for (index, workload) in input.workloads.enumerated() {
      let key = Group(model: workload.model, arrivals: workload.arrivals, percentile: workload.percentile)
      let group = groups[key] ?? representatives.count
      if group == representatives.count {
        groups[key] = group
        representatives.append(index)
        steps.append([:])
      }
      let step = CapacityGrid.step(ofObjective: workload.sloLatencyMs)
      steps[group][step] = 0
      asking[index] = (group, step)
    }
    let admissions = CertifiedAdmissions(input)
    var jobs: [Job] = []
    // Row-major: group x column.
    var jobOf = [Int?](repeating: nil, count: representatives.count * columns.count)
    for (group, representative) in representatives.enumerated() {
      // Loosest first: what misses a loose objective is known to miss the tighter ones.
      let asked = steps[group].keys.sorted(by: >)
      for (place, step) in asked.enumerated() { steps[group][step] = place }
      for (number, column) in columns.enumerated() {
        let product = input.pools[column.pool].product
        guard let admission = admissions.admission(input.workloads[representative], product) else { continue }
        jobOf[group * columns.count + number] = jobs.count
        jobs.append(Job(admission: admission, kind: column.profile, steps: asked))
      }
    }
    let answers = Mutex([[Offer]](repeating: [], count: jobs.count))
    let work = jobs
    context.forEach(work.count) { index in
      let offers = work[index].admission.offers(kind: work[index].kind, steps: work[index].steps)
      answers.withLock { $0[index] = offers }
    }
    let found = answers.withLock { $0 }
    var offers = [Offer](repeating: .none, count: input.workloads.count * columns.count)
    for (index, (group, step)) in asking.enumerated() {
      guard let place = steps[group][step] else { continue }
      for column in columns.indices {
        guard let job = jobOf[group * columns.count + column] else { continue }
        offers[index * columns.count + column] = found[job][place]
      }
    }
    return offers
  }
}
