import Synchronization

/// Plays a plan through its demand, request by request.
///
/// It shares with planners and admission nothing but the profile: an independent judge of what they promise.
public enum Simulator {
  /// Runs every workload with every seed. The report depends on the input alone, not on how runs are spread over cores.
  ///
  /// - Parameters:
  ///   - context: cores; patience is not asked for.
  ///   - progress: told now and then, from any core, how many requests have been played through since.
  /// - Complexity: O(requests); memory O(segments x buckets), whatever the duration.
  public static func run(
    _ input: SimulationInput, _ context: PlanningContext = .serial,
    progress: @escaping @Sendable (Int) -> Void = { _ in }
  ) throws(SimulationRefusals) -> SimulationReport {
    let model = try SimulationModel(input)
    let courses = model.members.map { members in WorkloadCourse(members.map { model.segments[$0] }) }
    let (count, seeds) = (input.workloads.count, input.options.seeds)
    let outcomes = Mutex([WorkloadRun.Outcome?](repeating: nil, count: count * seeds.count))
    context.forEach(count * seeds.count) { job in
      let workload = job % count
      var run = WorkloadRun(
        input.workloads[workload], courses[workload], model.rateChanges[workload], input.options,
        seed: seeds[job / count])
      let outcome = run.play(progress)
      outcomes.withLock { $0[job] = outcome }
    }
    let results = outcomes.withLock { $0.compactMap(\.self) }
    return ReportBuilder(input, model).report(results)
  }

  /// Requests that a run is expected to play through: what progress adds up to, but for chance. O(workloads + events).
  public static func expectedRequests(_ input: SimulationInput) -> Double {
    let rate = input.workloads.reduce(0) { $0 + $1.rate }
    return rate * (input.options.duration + input.options.warmup) * Double(input.options.seeds.count)
  }
}
