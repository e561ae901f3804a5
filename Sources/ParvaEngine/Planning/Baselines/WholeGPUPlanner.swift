/// No MIG: every segment takes a whole GPU, as the one instance of all its compute slices, with the batch and the number
/// of processes that carry most load on it within the SLO.
public struct WholeGPUPlanner: Planner {
  public let name = "whole-gpu"
  public let summary = "no MIG: a GPU a segment"

  public init() {}

  public func plan(_ input: PlanningInput, _ context: PlanningContext) -> Plan {
    GreedyPlanning(match: WholeGPUPlanner.match) { segments, pool, _ in
      segments.map { DraftGPU(pool: pool, segments: [$0]) }
    }.plan(Market(input, context), planner: name)
  }

  /// As many whole GPUs as the rate needs. O(kinds + segments).
  @Sendable private static func match(
    _ workload: Int, _ pool: Int, _ market: Market
  ) -> Result<[DraftSegment], GreedyPlanning.Refusal> {
    let product = market.cuts[pool].product
    let demand = market.input.workloads[workload]
    let whole = market.poolColumns[pool].filter { market.columns[$0].computeSlices == product.computeSlices }
    guard let column = whole.max(by: { market.capacity(workload, $0) < market.capacity(workload, $1) }),
      market.capacity(workload, column) > 0
    else {
      let served = market.poolColumns[pool].contains { market.capacity(workload, $0) > 0 }
      return .failure(
        GreedyPlanning.Refusal(
          unserved: served
            ? Unserved(
              workload: demand.id, code: .noProfile,
              message:
                "no point of model \(demand.model) on a whole \(product.name) keeps the SLO; profile it there, or "
                + "plan with a planner that cuts GPUs")
            : nil))
    }
    let throughput = market.capacity(workload, column)
    guard demand.rate / throughput < Double(SegmentLimit.perWorkload) else {
      return .failure(GreedyPlanning.Refusal(unserved: SegmentLimit.refusal(demand, throughput: throughput)))
    }
    let count = max(1, Int((demand.rate / throughput * (1 - Tolerance.relative)).rounded(.up)))
    return .success(
      [DraftSegment](
        repeating: DraftSegment(
          workload: workload, column: column, start: product.profiles[market.columns[column].profile].starts[0]),
        count: count))
  }
}
