package import ParvaEngine
import ParvaWire

/// Reads a plan document back into the plan that it was written from.
///
/// Only what a plan cannot express is refused here (unknown products, profiles, statuses); whether the plan is legal is
/// for ``PlanChecker`` to say.
package enum PlanReader {
  /// Reads JSON or YAML.
  ///
  /// - Throws: every refusal found, each with its place.
  /// - Complexity: O(bytes).
  package static func read(_ source: InputSource) throws(InputErrors) -> Plan {
    if source.format == .json, source.data.count <= InputLimits.planBytes, let plan = QuickPlanParser.plan(source.data)
    {
      return plan
    }
    return try readGenerally(source)
  }

  /// Reads whatever way the document is written, and says what is wrong with it.
  static func readGenerally(_ source: InputSource) throws(InputErrors) -> Plan { try document(source).plan }

  /// Reads a plan that is to be in force somewhere: one whose segments can stand where it says.
  ///
  /// - Throws: every refusal found, each with its place.
  package static func readInForce(_ source: InputSource) throws(InputErrors) -> Plan {
    // Only what is wrong with a plan needs its places.
    if source.format == .json, source.data.count <= InputLimits.planBytes, let plan = QuickPlanParser.plan(source.data),
      PlanChecker.violations(of: plan).allSatisfy({ $0.gpu == nil })
    {
      return plan
    }
    let (plan, input, places) = try document(source)
    var refusals = Refusals()
    for violation in PlanChecker.violations(of: plan) {
      guard let gpu = violation.gpu else { continue }
      let segment = plan.gpus[gpu].segments.firstIndex { $0.id == violation.segment }
      refusals.add(
        input.error(
          .illegalPlacement, violation.message,
          at: ["gpus", String(places[gpu])] + (segment.map { ["segments", String($0)] } ?? [])))
    }
    try refusals.check()
    return plan
  }

  /// The plan, its document and where in it each GPU stands.
  private static func document(_ source: InputSource) throws(InputErrors) -> (plan: Plan, InputDocument, [Int]) {
    if source.format == .csv {
      throw InputErrors(
        InputError(.invalidSyntax, "a plan is read from JSON or YAML; CSV does not hold all of it", file: source.name))
    }
    let input = try InputDocument(source, limit: InputLimits.planTreeBytes)
    let document = try input.decode(PlanDocument.self)
    guard document.schemaVersion == PlanWriter.schemaVersion else {
      throw InputErrors(
        input.error(
          .unsupportedVersion, "schemaVersion must be \(PlanWriter.schemaVersion), not \(document.schemaVersion)",
          at: ["schemaVersion"], value: String(document.schemaVersion)))
    }
    var refusals = Refusals()
    let status = word(PlanStatus.self, document.status, ["status"], input, &refusals)
    let source = word(
      ProfileSource.self, document.summary.profileSource, ["summary", "profileSource"], input, &refusals)
    if let message = document.margin.flatMap({ RangeCheck.message("margin", $0, InputLimits.capacityMargin) }) {
      refusals.add(
        input.error(.outOfRange, message, at: ["margin"], value: document.margin.map(RangeCheck.plain)))
    }
    let objective = document.objective.flatMap {
      word(PlanObjective.self, $0, ["objective"], input, &refusals)
    }
    if let most = document.maxProcesses, let message = RangeCheck.message("maxProcesses", most, InputLimits.processes) {
      refusals.add(input.error(.outOfRange, message, at: ["maxProcesses"], value: String(most)))
    }
    var gpus = gpus(document.gpus, input, &refusals)
    let unplaced = document.unplaced.enumerated().compactMap { index, refusal in
      word(Unserved.Code.self, refusal.code, ["unplaced", String(index), "code"], input, &refusals).map {
        Unserved(workload: refusal.workload, code: $0, message: refusal.message)
      }
    }
    let partial = (document.partial ?? []).enumerated().compactMap { index, service in
      word(Unserved.Code.self, service.code, ["partial", String(index), "code"], input, &refusals).map {
        PartialService(
          workload: service.workload, demanded: service.demanded, served: service.served, code: $0,
          message: service.message)
      }
    }
    let certificate = document.certificate.flatMap { CertificateReader.read($0, input, &refusals) }
    try refusals.check()
    guard let status, let source else { throw InputErrors(InputError(.empty, "holds no plan", file: input.name)) }
    let summary = document.summary
    // In the order of their numbers, however they are listed.
    gpus.sort { $0.index < $1.index }
    let plan = Plan(
      planner: document.planner, admission: document.admission, margin: document.margin, objective: objective,
      maxProcesses: document.maxProcesses, status: status, gpus: gpus.map(\.gpu), unplaced: unplaced, partial: partial,
      summary: PlanSummary(
        gpuCount: summary.gpuCount, lowerBound: summary.lowerBound, gap: summary.gap,
        allocatedSlices: summary.allocatedSlices, externalFragmentation: summary.externalFragmentation,
        internalSlack: summary.internalSlack, sums: summary.sums, profileSource: source,
        isCutShort: summary.cutShort ?? false),
      certificate: certificate)
    return (plan, input, gpus.map(\.place))
  }

  static func word<Word: RawRepresentable & CaseIterable>(
    _ type: Word.Type, _ text: String, _ path: [String], _ input: InputDocument, _ refusals: inout Refusals
  ) -> Word? where Word.RawValue == String {
    if let word = Word(rawValue: text) { return word }
    let allowed = Word.allCases.map(\.rawValue).joined(separator: ", ")
    refusals.add(
      input.error(
        .outOfRange, "must be one of \(allowed), not \"\(InputError.shortened(text))\"", at: path, value: text))
    return nil
  }

  private static func gpus(
    _ list: [Attempt<PlanDocument.GPU>], _ input: InputDocument, _ refusals: inout Refusals
  ) -> [(index: Int, place: Int, gpu: PlannedGPU)] {
    var gpus: [(index: Int, place: Int, gpu: PlannedGPU)] = []
    gpus.reserveCapacity(list.count)
    var isTaken = [Bool](repeating: false, count: list.count)
    for (index, item) in list.enumerated() {
      let path = ["gpus", String(index)]
      guard case .value(let gpu) = item else {
        if case .failure(let error, let path) = item { refusals.add(input.refusal(of: error, at: path)) }
        continue
      }
      if !isTaken.indices.contains(gpu.index) || isTaken[gpu.index] {
        refusals.add(
          input.error(
            .contradiction, "the GPUs must be numbered 0 to \(list.count - 1), each number once, not \(gpu.index)",
            at: path + ["index"], value: String(gpu.index)))
      } else {
        isTaken[gpu.index] = true
      }
      guard let product = ProductCatalogue.product(named: gpu.product) else {
        let error = InputError.unknownProduct(gpu.product)
        refusals.add(input.error(error.code, error.message, at: path + ["product"], value: gpu.product))
        continue
      }
      var segments: [Segment] = []
      segments.reserveCapacity(gpu.segments.count)
      for (number, item) in gpu.segments.enumerated() {
        switch item {
        case .failure(let error, let path): refusals.add(input.refusal(of: error, at: path))
        case .value(let segment):
          let place = { path + ["segments", String(number)] }
          self.segment(segment, product, place, input, &refusals).map { segments.append($0) }
        }
      }
      gpus.append(
        (
          gpu.index, index,
          PlannedGPU(pool: gpu.pool, product: product, node: gpu.node, uuid: gpu.uuid, segments: segments)
        ))
    }
    return gpus
  }

  private static func segment(
    _ segment: PlanDocument.Segment, _ product: GPUProduct, _ path: () -> [String], _ input: InputDocument,
    _ refusals: inout Refusals
  ) -> Segment? {
    guard let index = product.profileIndex(driverID: segment.profileId) else {
      refusals.add(
        input.error(
          .unknownProfile, "\(product.name) has no profile with id \(segment.profileId)", at: path() + ["profileId"],
          value: String(segment.profileId)))
      return nil
    }
    let profile = product.profiles[index]
    guard
      (profile.name, profile.placementSize, profile.computeSlices)
        == (segment.profile, segment.size, segment.computeSlices)
    else {
      refusals.add(
        input.error(
          .contradiction,
          "profile id \(segment.profileId) of \(product.name) is \(profile.name) of size \(profile.placementSize) with "
            + "\(profile.computeSlices) compute slices", at: path() + ["profile"], value: segment.profile))
      return nil
    }
    guard let slash = segment.id.lastIndex(of: "/"), segment.id[..<slash] == segment.workload,
      let ordinal = Int(segment.id[segment.id.index(after: slash)...]), ordinal >= 0,
      segment.id == "\(segment.workload)/\(ordinal)"
    else {
      refusals.add(
        input.error(
          .invalidName, "id must be the workload's id, a slash and a number from 0", at: path() + ["id"],
          value: segment.id))
      return nil
    }
    return Segment(
      workload: segment.workload, ordinal: ordinal, model: segment.model, profile: index, start: segment.start,
      batch: segment.batch, processes: segment.processes, capacity: segment.capacity, load: segment.load,
      latencyMs: segment.latencyMs)
  }
}
