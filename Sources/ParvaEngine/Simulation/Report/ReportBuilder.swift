/// Puts the runs of all workloads and seeds together.
struct ReportBuilder {
  private let input: SimulationInput
  private let model: SimulationModel
  private var seeds: Int { input.options.seeds.count }
  private var horizon: Double { input.options.duration }

  init(_ input: SimulationInput, _ model: SimulationModel) {
    self.input = input
    self.model = model
  }

  /// - Parameter outcomes: by seed, then by workload. O(seeds x segments x buckets).
  func report(_ outcomes: [WorkloadRun.Outcome]) -> SimulationReport {
    var busyOverTime = model.gpus.map { _ in [Double](repeating: 0, count: input.options.buckets) }
    var sliceSecondsUp = 0.0
    var sliceSecondsBusy = 0.0
    var workloads: [SimulationReport.WorkloadFigures] = []
    for (index, workload) in input.workloads.enumerated() {
      let runs = (0..<seeds).map { outcomes[$0 * input.workloads.count + index] }
      var figures = requestFigures(workload, runs)
      var (up, busy) = (0.0, 0.0)  // slice-seconds
      for (number, member) in model.members[index].enumerated() {
        let segment = model.segments[member]
        let usage = runs.map { $0.usage[number] }
        let slices = Double(segment.computeSlices)
        let perProcess = slices / Double(segment.processes)
        for run in usage {
          for (bucket, seconds) in run.busyOverTime.enumerated() {
            busyOverTime[segment.gpu][bucket] += seconds * perProcess
          }
          busy += run.busy * perProcess
        }
        up += secondsUp(segment, usage) * slices
        figures.segments.append(self.figures(segment, usage))
      }
      figures.utilisation = up > 0 ? busy / up : 0
      figures.meanQueue = figures.segments.reduce(0) { $0 + $1.meanQueue }
      figures.longestQueue = figures.segments.map(\.longestQueue).max() ?? 0
      let usage = runs.flatMap(\.usage)
      let batches = usage.reduce(0) { $0 + $1.batches }
      figures.meanBatch = batches == 0 ? 0 : Double(usage.reduce(0) { $0 + $1.requests }) / Double(batches)
      sliceSecondsUp += up
      sliceSecondsBusy += busy
      workloads.append(figures)
    }
    return SimulationReport(
      plan: input.plan.summary, planner: input.plan.planner, admission: input.plan.admission, options: input.options,
      workloads: workloads, gpus: gpus(busyOverTime), marks: marks,
      slack: sliceSecondsUp > 0 ? max(0, 1 - sliceSecondsBusy / sliceSecondsUp) : 0,
      simulated: outcomes.reduce(0) { $0 + $1.simulated })
  }

  private func requestFigures(
    _ workload: Workload, _ runs: [WorkloadRun.Outcome]
  ) -> SimulationReport.WorkloadFigures {
    var latencies = LatencyHistogram().trimmed()
    var lost: [RequestLoss: Int] = [:]
    var ended = [Int](repeating: 0, count: input.options.buckets)
    var within = ended
    for run in runs {
      latencies.merge(run.histogram)
      for reason in RequestLoss.allCases { lost[reason, default: 0] += run.tally.lost[reason.rawValue] }
      for bucket in ended.indices {
        ended[bucket] += run.tally.ended[bucket]
        within[bucket] += run.tally.endedWithinSLO[bucket]
      }
    }
    let total = { (figure: KeyPath<RequestTally, Int>) in runs.reduce(0) { $0 + $1.tally[keyPath: figure] } }
    return SimulationReport.WorkloadFigures(
      workload: workload, requests: total(\.arrived), completed: total(\.completed), pending: total(\.pending),
      lost: lost, withinSLO: total(\.withinSLO),
      attainmentBySeed: runs.map {
        $0.tally.arrived == 0 ? 1 : Double($0.tally.withinSLO) / Double($0.tally.arrived)
      },
      latencies: latencies, meanQueue: 0, longestQueue: 0, utilisation: 0, meanBatch: 0,
      attainmentOverTime: zip(ended, within).map { $0 == 0 ? nil : Double($1) / Double($0) }, segments: [])
  }

  private func figures(_ segment: SimulatedSegment, _ usage: [SegmentUsage]) -> SimulationReport.SegmentFigures {
    let batches = usage.reduce(0) { $0 + $1.batches }
    let up = secondsUp(segment, usage) * Double(segment.processes)
    return SimulationReport.SegmentFigures(
      id: segment.id, gpu: segment.gpu, plan: segment.plan,
      profile: model.gpus[segment.gpu].product.profiles[segment.profile].name, batch: segment.batch,
      processes: segment.processes, meanQueue: usage.reduce(0) { $0 + $1.waited } / (horizon * Double(seeds)),
      longestQueue: usage.map(\.longestQueue).max() ?? 0,
      utilisation: up > 0 ? usage.reduce(0) { $0 + $1.busy } / up : 0,
      meanBatch: batches == 0 ? 0 : Double(usage.reduce(0) { $0 + $1.requests }) / Double(batches))
  }

  /// Seconds in all runs in which the segment took requests or worked off what it had taken.
  private func secondsUp(_ segment: SimulatedSegment, _ usage: [SegmentUsage]) -> Double {
    let end = max(0, segment.until)
    return usage.reduce(0) { $0 + segment.secondsUp(until: horizon) + max(0, $1.lastEnd - end) }
  }

  private func gpus(_ busyOverTime: [[Double]]) -> [SimulationReport.GPUFigures] {
    let stretch = horizon / Double(input.options.buckets) * Double(seeds)
    return zip(model.gpus, busyOverTime).map { gpu, busy in
      let slices = Double(gpu.product.computeSlices)
      return SimulationReport.GPUFigures(
        pool: gpu.pool, product: gpu.product.name, load: busy.reduce(0, +) / (horizon * Double(seeds) * slices),
        loadOverTime: busy.map { $0 / (stretch * slices) })
    }
  }

  private var marks: [(time: Double, label: String)] {
    input.events.sorted { $0.time < $1.time }.flatMap { event -> [(time: Double, label: String)] in
      switch event {
      case .rate(let time, let factor, let over, let workload):
        let change = over > 0 ? "to" : "at"
        return [(time, "\(workload ?? "all") \(change) \(factor.shortText) x")]
      case .failure(let time, let target, let duration):
        let name =
          switch target {
          case .gpu(let index): "GPU \(index)"
          case .segment(let id): id
          }
        return [(time, "\(name) fails")] + (duration.map { [(time + $0, "\(name) is back")] } ?? [])
      case .replan(let time, _, let downtime):
        return [(time, "new plan")] + (downtime > 0 ? [(time + downtime, "new plan is up")] : [])
      }
    }
  }
}
