extension AdmissionRule {
  /// The largest rate at which the segment keeps the percentile of the SLO under the declared arrivals, less the margin.
  public static let certified = AdmissionRule(
    name: "certified", summary: "the percentile holds under the declared arrivals", takesMargin: true,
    offers: CertifiedOffers.offers, reason: CertifiedOffers.reason, judge: { CertifiedJudge($0) })
}

/// What rule `certified` offers, workload by workload.
private enum CertifiedOffers {
  /// Workloads that ask the same tables: they differ in rate and objective alone.
  private struct Group: Hashable {
    var model: String
    /// See ``ProfileCatalogue/owner(model:for:)``.
    var owner: String?
    var arrivals: CertifiedArrivals?
    var percentile: Double
    var queue: QueueForm
    var mostProcesses: Int
  }

  /// Tables are asked in parallel, each by one thread; what the cache holds already costs a look-up a workload and column.
  @Sendable static func offers(
    _ input: PlanningInput, _ columns: [InstanceColumn], _ context: PlanningContext
  ) -> OfferTable {
    var groups: [Group: Int] = [:]
    // By group: the workload that stands for it, and the steps of all its objectives with their places in the answers.
    var representatives: [Int] = []
    var steps: [[Int: Int]] = []
    var asking = [(group: Int, step: Int)](repeating: (0, 0), count: input.workloads.count)
    for (index, workload) in input.workloads.enumerated() {
      let key = Group(
        model: workload.model, owner: input.profiles.owner(model: workload.model, for: workload.id),
        arrivals: CertifiedArrivals(workload, margin: input.options.margin, traces: input.traces),
        percentile: workload.percentile, queue: workload.queue,
        mostProcesses: workload.mostProcesses(input.options.maxProcesses))
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
    var asked: [OfferSteps.Group] = []
    // Row-major: group x column.
    var tableOf = [Int?](repeating: nil, count: representatives.count * columns.count)
    for (group, representative) in representatives.enumerated() {
      asked.append(OfferSteps.Group(tables: [], steps: steps[group].keys.sorted(by: >)))
      for (place, step) in asked[group].steps.enumerated() { steps[group][step] = place }
      for (number, column) in columns.enumerated() {
        let product = input.pools[column.pool].product
        guard let admission = admissions.admission(input.workloads[representative], product) else { continue }
        tableOf[group * columns.count + number] = asked[group].tables.count
        asked[group].tables.append((admission, column.profile))
      }
    }
    let found = OfferSteps(asked, context)
    let count = input.workloads.count * columns.count
    var table = OfferTable(offers: [Offer](repeating: .none, count: count))
    if !found.isComplete { table.ceilings = [Double](repeating: 0, count: count) }
    for (index, (group, step)) in asking.enumerated() {
      guard let place = steps[group][step] else { continue }
      let margin = input.workloads[index].margin ?? input.options.margin
      for column in columns.indices {
        guard let number = tableOf[group * columns.count + column] else { continue }
        var offer = found.rows[group][number].offers[place]
        offer.capacity /= 1 + margin
        table.offers[index * columns.count + column] = offer
        guard !found.isComplete else { continue }
        table.ceilings[index * columns.count + column] = found.rows[group][number].ceilings[place] / (1 + margin)
      }
    }
    return table
  }

  @Sendable static func reason(_ workload: Workload, _ input: PlanningInput) -> Unserved {
    if case .trace(let name) = workload.arrivals, input.traces[name] == nil {
      return Unserved(
        workload: workload.id, code: .unknownTrace,
        message: "the workload arrives by trace \(name), which the planner was not given; give it the recording")
    }
    guard CapacityGrid.tail(percentile: workload.percentile) != nil else {
      return Unserved(
        workload: workload.id, code: .sloUnreachable,
        message: "percentile \(workload.percentile) is more than can be certified; at most "
          + "\(1 - CapacityGrid.leastTail) can")
    }
    let admissions = CertifiedAdmissions(input)
    let least = input.pools.compactMap { admissions.admission(workload, $0.product)?.leastObjective() }.min()
    let promise =
      "no point of model \(workload.model) keeps \(workload.percentile) of the requests within "
      + "\(workload.sloLatencyMs.shortText) ms under the declared arrivals at any load"
    return Unserved(
      workload: workload.id, code: .sloUnreachable,
      message: least.map { "\(promise); an SLO of \((($0 * 1000).rounded(.up) / 1000).shortText) ms can be served" }
        ?? promise)
  }
}
