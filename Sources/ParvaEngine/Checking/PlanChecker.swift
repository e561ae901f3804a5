/// The judge of every plan: works out legality, coverage, SLO and figures again from the geometry, the profiles and the
/// demand. It shares no code with the planners, so that a fault in one does not hide in the other.
public enum PlanChecker {
  /// Relative difference below which two figures are the same.
  static let tolerance = 1e-6

  /// What can be judged from the plan alone: geometry, figures, status. O(segments).
  public static func violations(of plan: Plan) -> [PlanViolation] {
    var found: [PlanViolation] = []
    var names = SegmentNames(of: plan)
    for (index, gpu) in plan.gpus.enumerated() {
      checkGeometry(gpu, index, &found)
      for segment in gpu.segments {
        checkFigures(segment, index, &found)
        if !names.insert(segment) {
          found.append(
            PlanViolation(.duplicateSegment, gpu: index, segment: segment.id, "two segments are called \(segment.id)"))
        }
      }
    }
    checkOutcome(plan, &found)
    checkNames(plan, &found)
    checkBound(plan, &found)
    return found
  }

  /// Everything: the plan alone, and against the demand, pools and profiles it was made for. O(segments + workloads).
  ///
  /// - Parameter context: lends the cores; what is found does not depend on it.
  public static func violations(
    of plan: Plan, against input: PlanningInput, _ context: PlanningContext = .serial
  ) -> [PlanViolation] {
    var found = violations(of: plan)
    let demand = CheckedDemand(input.workloads, plan)
    checkPools(plan, input, &found)
    checkDemand(plan, demand, input, &found, context)
    checkPlacement(plan, demand, input, &found)
    checkPartial(plan, demand, &found)
    checkSource(plan, input, &found)
    checkSums(plan, input, &found)
    if let certificate = plan.certificate {
      found += CertificateChecker(input, plan).judge(certificate).violations
    }
    return found
  }

  private static func checkGeometry(_ gpu: PlannedGPU, _ index: Int, _ found: inout [PlanViolation]) {
    let product = gpu.product
    if gpu.segments.isEmpty { found.append(PlanViolation(.emptyGPU, gpu: index, "GPU \(index) holds no segment")) }
    var slices = 0
    for segment in gpu.segments {
      guard product.profiles.indices.contains(segment.profile) else {
        found.append(
          PlanViolation(.unknownProfile, gpu: index, segment: segment.id, "\(product.name) has no such profile"))
        continue
      }
      let profile = product.profiles[segment.profile]
      if !profile.starts.contains(segment.start) {
        found.append(
          PlanViolation(
            .illegalStart, gpu: index, segment: segment.id,
            "\(profile.name) cannot start at \(segment.start) on \(product.name); legal starts are \(profile.starts)"))
      }
      slices += profile.computeSlices
    }
    let known = gpu.segments.filter { product.profiles.indices.contains($0.profile) }
    func end(_ segment: Segment) -> Int { segment.start + product.profiles[segment.profile].placementSize }
    let ranked = known.indices.sorted { (known[$0].start, end(known[$0])) < (known[$1].start, end(known[$1])) }
    for (a, b) in zip(ranked.lazy.map { known[$0] }, ranked.lazy.dropFirst().map { known[$0] })
    where b.start < end(a) {
      found.append(
        PlanViolation(
          .overlap, gpu: index, segment: b.id,
          "\(b.id) at \(b.start)..<\(end(b)) overlaps \(a.id) at \(a.start)..<\(end(a))"))
    }
    for (profile, kind) in product.profiles.enumerated() {
      let count = known.count { $0.profile == profile }
      guard count > kind.maxInstances else { continue }
      found.append(
        PlanViolation(
          .tooManyInstances, gpu: index, "\(count) instances of \(kind.name), at most \(kind.maxInstances) fit"))
    }
    if slices > product.computeSlices {
      found.append(
        PlanViolation(.tooManySlices, gpu: index, "\(slices) compute slices on a GPU of \(product.computeSlices)"))
    }
  }

  private static func checkFigures(_ segment: Segment, _ gpu: Int, _ found: inout [PlanViolation]) {
    let figures = [segment.capacity, segment.load, segment.latencyMs]
    if !figures.allSatisfy({ $0.isFinite && $0 > 0 }) || segment.batch < 1 || segment.processes < 1 {
      found.append(
        PlanViolation(
          .badFigure, gpu: gpu, segment: segment.id,
          "capacity, load and latency must be above 0 and finite, batch and processes at least 1"))
    }
    if segment.load > segment.capacity * (1 + tolerance) {
      found.append(
        PlanViolation(
          .overload, gpu: gpu, segment: segment.id, "load \(segment.load) exceeds capacity \(segment.capacity)"))
    }
  }

  private static func checkOutcome(_ plan: Plan, _ found: inout [PlanViolation]) {
    if (plan.status == .infeasible) != !plan.unplaced.isEmpty || (plan.status == .optimal && !plan.partial.isEmpty) {
      found.append(
        PlanViolation(
          .wrongStatus, "status \(plan.status.rawValue) with \(plan.unplaced.count) workloads left out"))
    }
    let placed = plan.unplaced.isEmpty ? [] : Set(plan.gpus.flatMap { $0.segments.map(\.workload) })
    for refusal in plan.unplaced where placed.contains(refusal.workload) {
      found.append(
        PlanViolation(.unplacedAndPlaced, workload: refusal.workload, "\(refusal.workload) is both placed and refused"))
    }
    var allocated = 0
    var slices = 0
    var working = 0.0
    for gpu in plan.gpus {
      slices += gpu.product.computeSlices
      for segment in gpu.segments where gpu.product.profiles.indices.contains(segment.profile) {
        let own = gpu.product.profiles[segment.profile].computeSlices
        allocated += own
        working += Double(own) * segment.load / segment.capacity
      }
    }
    let summary = plan.summary
    let fragmentation = slices == 0 ? 0 : Double(slices - allocated) / Double(slices)
    let slack = allocated == 0 ? 0 : (Double(allocated) - working) / Double(allocated)
    if summary.gpuCount != plan.gpus.count || summary.allocatedSlices != allocated
      || !same(summary.externalFragmentation, fragmentation) || !same(summary.internalSlack, slack)
    {
      found.append(
        PlanViolation(
          .wrongSummary,
          "the summary does not match the segments: \(plan.gpus.count) GPUs, \(allocated) slices, fragmentation "
            + "\(fragmentation), slack \(slack)"))
    }
  }

  /// No real GPU is planned twice.
  private static func checkNames(_ plan: Plan, _ found: inout [PlanViolation]) {
    var first: [String: Int] = [:]
    for (index, gpu) in plan.gpus.enumerated() {
      guard let uuid = gpu.uuid else { continue }
      if let other = first[uuid] {
        found.append(PlanViolation(.duplicateGPU, gpu: index, "GPUs \(other) and \(index) are both \(uuid)"))
      } else {
        first[uuid] = index
      }
    }
  }

  /// A gap belongs to a bound, is never below 0, and is 0 where the plan is said to be optimal.
  private static func checkBound(_ plan: Plan, _ found: inout [PlanViolation]) {
    func wrong(_ message: String) { found.append(PlanViolation(.wrongSummary, message)) }
    let summary = plan.summary
    switch (summary.lowerBound, summary.gap) {
    case (nil, nil): break
    case (let bound?, let gap?):
      if !bound.isFinite || !gap.isFinite || gap < 0 { wrong("a bound of \(bound) and a gap of \(gap) cannot be") }
      if plan.status == .optimal, gap != 0 { wrong("the plan is said to be optimal with a gap of \(gap)") }
    default: wrong("a bound and a gap come together")
    }
  }

  /// The profiles behind the plan are what it says of them.
  private static func checkSource(_ plan: Plan, _ input: PlanningInput, _ found: inout [PlanViolation]) {
    struct Key: Hashable {
      var model: String
      var owner: String?
    }
    var seen: [String: Set<Key>] = [:]
    var sources: Set<ProfileSource> = []
    for gpu in plan.gpus {
      for segment in gpu.segments {
        let product = gpu.product.name
        let owner = input.profiles.owner(model: segment.model, for: segment.workload)
        guard seen[product, default: []].insert(Key(model: segment.model, owner: owner)).inserted,
          let profile = input.profiles.profile(model: segment.model, product: product, for: segment.workload)
        else { continue }
        sources.insert(profile.source)
      }
    }
    guard !sources.isEmpty, sources.merged != plan.summary.profileSource else { return }
    found.append(
      PlanViolation(
        .wrongSource,
        "the plan says that its profiles are \(plan.summary.profileSource.rawValue), they are \(sources.merged.rawValue)"
      ))
  }

  /// Equal within the tolerance, absolutely below 1 and relatively above.
  static func same(_ a: Double, _ b: Double) -> Bool {
    (a - b).magnitude <= tolerance * max(1, a.magnitude, b.magnitude)
  }
}
