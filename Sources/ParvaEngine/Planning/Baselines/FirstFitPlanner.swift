/// Segments as the published method chooses them, in order of workload, each on the first GPU with room and at its first
/// free start: what a plan without relocation and optimization costs.
public struct FirstFitPlanner: Planner {
  public let name = "first-fit"
  public let summary = "the heuristic's segments, each on the first GPU with room"

  public init() {}

  public func plan(_ input: PlanningInput, _ context: PlanningContext) -> Plan {
    GreedyPlanning(match: ParvaGPUPlanner.match, allocate: FirstFitPlanner.place).plan(
      Market(input, context), planner: name)
  }

  /// O(segments x occupancy states).
  private static func place(_ segments: [DraftSegment], _ pool: Int, _ market: Market) -> [DraftGPU] {
    let product = market.cuts[pool].product
    var fit = TightestFit(product)
    var gpus: [DraftGPU] = []
    for segment in segments {
      let profile = market.columns[segment.column].profile
      guard let place = fit.placeFirst(profile, starts: product.profiles[profile].starts) else { continue }
      if place.gpu == gpus.count { gpus.append(DraftGPU(pool: pool, segments: [])) }
      gpus[place.gpu].segments.append(
        DraftSegment(workload: segment.workload, column: segment.column, start: place.start))
    }
    return gpus
  }
}
