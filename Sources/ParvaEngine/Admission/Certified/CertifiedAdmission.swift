/// The rule `certified`: a segment may be given the largest rate at which it keeps the percentile of sojourn times under
/// the declared arrivals, with the batcher that serves it. The margin is taken off by whoever asks.
struct CertifiedAdmission: Sendable {
  /// By kind of instance that the model has points on.
  private let tables: [Int: KindCapacity]
  let mostProcesses: Int
  private let margin: Double

  /// Nil where the percentile is beyond what can be certified, or the trace is not there. O(points x kinds).
  init?(_ workload: Workload, _ profile: ModelProfile, _ input: PlanningInput) {
    guard let arrivals = CertifiedArrivals(workload, margin: input.options.margin, traces: input.traces),
      let tail = CapacityGrid.tail(percentile: workload.percentile)
    else { return nil }
    let known = input.capacities.store(CapacityTables.init)
    tables = Dictionary(
      Set(profile.points.map(\.profile)).map {
        ($0, known.kind($0, of: profile, workload.queue, arrivals, tail: tail))
      },
      uniquingKeysWith: { first, _ in first })
    mostProcesses = workload.mostProcesses(input.options.maxProcesses)
    margin = input.options.margin
  }

  /// What is known of one kind of instance; nil where the model has no points on it.
  func table(_ kind: Int) -> KindCapacity? { tables[kind] }

  /// Requests per second that one point may be given; nil where there is no such point.
  func capacity(kind: Int, batch: Int, processes: Int, sloLatencyMs: Double) -> Double? {
    let step = CapacityGrid.step(ofObjective: sloLatencyMs)
    return tables[kind]?.capacity(batch: batch, processes: processes, step: step).map { $0 / (1 + margin) }
  }

  /// The least objective in milliseconds that some point keeps under any load; nil where there is none.
  func leastObjective() -> Double? {
    tables.values.compactMap { $0.leastObjective(maxProcesses: mostProcesses) }.min()
  }
}

/// The admissions of an input's workloads, made once for all that ask the same.
final class CertifiedAdmissions {
  private struct Key: Hashable {
    var model: String
    /// See ``ProfileCatalogue/owner(model:for:)``.
    var owner: String?
    var product: String
    var arrivals: CertifiedArrivals?
    var percentile: Double
    var queue: QueueForm
    var mostProcesses: Int
  }

  private let input: PlanningInput
  private var known: [Key: CertifiedAdmission?] = [:]

  init(_ input: PlanningInput) { self.input = input }

  /// Nil where the model has no profile on the product, or nothing can be certified.
  func admission(_ workload: Workload, _ product: GPUProduct) -> CertifiedAdmission? {
    let key = Key(
      model: workload.model, owner: input.profiles.owner(model: workload.model, for: workload.id),
      product: product.name,
      arrivals: CertifiedArrivals(workload, margin: input.options.margin, traces: input.traces),
      percentile: workload.percentile, queue: workload.queue,
      mostProcesses: workload.mostProcesses(input.options.maxProcesses))
    if let known = known[key] { return known }
    let made = input.profiles.profile(model: workload.model, product: product.name, for: workload.id)
      .flatMap { CertifiedAdmission(workload, $0, input) }
    known[key] = .some(made)
    return made
  }
}
