/// What happens to a plan of least cost before it is handed out: among plans of that cost the one that changes least of
/// the current plan is taken, then unused slices become headroom.
enum PlanFinish {
  /// `fresh` covers `rates`, requests per second by workload, where it serves the workload at all.
  static func finish(
    _ fresh: [DraftGPU], _ market: Market, rates: [Double], _ context: PlanningContext
  ) -> [DraftGPU] {
    let options = market.input.options
    guard let current = market.input.current, !current.gpus.isEmpty else {
      return options.headroom ? Headroom.fill(fresh, market) : fresh
    }
    let draft = Keeping.plan(
      fresh, near: current, market, rates: rates, weights: market.input.weights, extra: options.maxExtraGPUs, context)
    guard options.headroom else { return draft }
    // A workload may get its former number of segments back: it is shown as changed anyway.
    var additions = CurrentSlots(current, market, isServed: rates.map { _ in true }).segmentsBefore
    for gpu in draft { for segment in gpu.segments { additions[segment.workload] -= 1 } }
    return Headroom.fill(draft, market, additions: additions.map { max(0, $0) })
  }
}
