/// A simulation worked out: every segment with the times at which it is there, every workload with what happens to it.
struct SimulationModel: Sendable {
  /// One GPU over the whole of a simulation, whatever the plans that cut it.
  struct GPU: Sendable {
    var pool: String
    var product: GPUProduct
  }

  private(set) var segments: [SimulatedSegment] = []
  private(set) var gpus: [GPU] = []
  /// Indices of the segments of each workload.
  private(set) var members: [[Int]] = []
  /// Changes of the rate of each workload, in order of time.
  private(set) var rateChanges: [[(time: Double, factor: Double, over: Double)]] = []

  private var refusals: [SimulationRefusal] = []
  /// Of the plan in force while building: the segment behind each id, and the GPU behind each index.
  private var current: [String: Int] = [:]
  private var rows: [Int] = []

  /// O(segments x plans + events).
  init(_ input: SimulationInput) throws(SimulationRefusals) {
    rateChanges = Array(repeating: [], count: input.workloads.count)
    let workloads = Dictionary(
      input.workloads.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
    var times = ExecutionTimes(input.profiles)
    var plan = input.plan
    var plans = 0
    install(plan, number: 0, at: -.infinity, downtime: 0, kept: [], input, workloads, &times)
    let events = input.events.enumerated().sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }
    for (index, event) in events {
      switch event {
      case .rate(let time, let factor, let over, let workload):
        if let workload {
          guard let number = workloads[workload] else {
            refuse(.unknownTarget, event: index, "no workload is called \(workload)")
            continue
          }
          rateChanges[number].append((time, factor, over))
        } else {
          for number in rateChanges.indices { rateChanges[number].append((time, factor, over)) }
        }
      case .failure(let time, let target, let duration):
        fail(target, plan, from: time, to: duration.map { time + $0 } ?? .infinity, event: index)
      case .replan(let time, let next, let downtime):
        plans += 1
        replace(plan, by: next, number: plans, at: time, downtime, input, workloads, &times)
        plan = next
      }
    }
    for workload in input.workloads where input.options.arrivals == nil {
      guard case .trace(let name) = workload.arrivals, input.options.traces[name] == nil else { continue }
      refuse(.unknownTrace, "workload \(workload.id) arrives by trace \(name), which is not given")
    }
    guard refusals.isEmpty else { throw SimulationRefusals(refusals: refusals) }
    members = Array(repeating: [], count: input.workloads.count)
    for (index, segment) in segments.enumerated() { members[segment.workload].append(index) }
  }

  private mutating func refuse(
    _ code: SimulationRefusal.Code, plan: Int? = nil, gpu: Int? = nil, segment: Int? = nil, event: Int? = nil,
    _ message: String
  ) {
    guard refusals.count < SimulationRefusals.kept else { return }
    refusals.append(
      SimulationRefusal(code: code, plan: plan, gpu: gpu, segment: segment, event: event, message: message))
  }

  // MARK: - Plans

  private mutating func replace(
    _ old: Plan, by new: Plan, number: Int, at time: Double, _ downtime: Double, _ input: SimulationInput,
    _ workloads: [String: Int], _ times: inout ExecutionTimes
  ) {
    var changed: Set<String> = []
    for change in PlanDiff(from: old, to: new).changes {
      switch change {
      case .added(let place), .removed(let place): changed.insert(place.segment.id)
      case .moved(let from, let to), .retuned(let from, let to):
        changed.formUnion([from.segment.id, to.segment.id])
      case .reloaded: break
      }
    }
    var kept: Set<String> = []
    for (id, index) in current {
      if changed.contains(id) {
        segments[index].until = time
        // Its slices belong to the new plan from then on, whether its queue is empty or not.
        segments[index].addOutage(.init(start: time + downtime, end: .infinity))
      } else {
        kept.insert(id)
      }
    }
    install(new, number: number, at: time, downtime: downtime, kept: kept, input, workloads, &times)
  }

  private mutating func install(
    _ plan: Plan, number: Int, at time: Double, downtime: Double, kept: Set<String>, _ input: SimulationInput,
    _ workloads: [String: Int], _ times: inout ExecutionTimes
  ) {
    rows = rows(of: plan, kept)
    var next: [String: Int] = [:]
    for (row, gpu) in plan.gpus.enumerated() {
      for (place, segment) in gpu.segments.enumerated() {
        if kept.contains(segment.id), let index = current[segment.id] {
          segments[index].loads.append((time, segment.load, segment.capacity))
          next[segment.id] = index
          continue
        }
        guard let workload = workloads[segment.workload] else {
          refuse(
            .unknownWorkload, plan: number, gpu: row, segment: place,
            "\(segment.id) serves a workload that is not among the workloads")
          continue
        }
        guard input.workloads[workload].model == segment.model else {
          refuse(
            .wrongModel, plan: number, gpu: row, segment: place,
            "\(segment.id) runs \(segment.model), but its workload asks for \(input.workloads[workload].model)")
          continue
        }
        switch times.table(of: segment, on: gpu.product) {
        case .failure(let refusal):
          refuse(refusal.code, plan: number, gpu: row, segment: place, refusal.message)
        case .success(let latencies):
          next[segment.id] = segments.count
          segments.append(
            SimulatedSegment(
              id: segment.id, workload: workload, gpu: rows[row], plan: number, profile: segment.profile,
              computeSlices: gpu.product.profiles[segment.profile].computeSlices, batch: segment.batch,
              processes: segment.processes,
              queues: input.workloads[workload].queue.count(processes: segment.processes), latencies: latencies,
              from: time + downtime,
              loads: [(time, segment.load, segment.capacity)]))
        }
      }
    }
    current = next
  }

  /// The GPU behind each index of a plan: the one whose segments it keeps, else the one of the same index, else a new
  /// one.
  private mutating func rows(of plan: Plan, _ kept: Set<String>) -> [Int] {
    var taken: Set<Int> = []
    var result = plan.gpus.map { gpu -> Int? in
      guard let known = gpu.segments.first(where: { kept.contains($0.id) }), let index = current[known.id],
        taken.insert(segments[index].gpu).inserted
      else { return nil }
      return segments[index].gpu
    }
    for (index, gpu) in plan.gpus.enumerated() where result[index] == nil {
      if rows.indices.contains(index), gpus[rows[index]].product.name == gpu.product.name,
        taken.insert(rows[index]).inserted
      {
        result[index] = rows[index]
      } else {
        result[index] = gpus.count
        taken.insert(gpus.count)
        gpus.append(GPU(pool: gpu.pool, product: gpu.product))
      }
    }
    return result.compactMap(\.self)
  }

  // MARK: - Failures

  private mutating func fail(
    _ target: SimulationEvent.Target, _ plan: Plan, from start: Double, to end: Double, event: Int
  ) {
    let hit: [Int]
    switch target {
    case .gpu(let index):
      guard plan.gpus.indices.contains(index) else {
        refuse(.unknownTarget, event: event, "the plan has no GPU \(index); it has \(plan.gpus.count)")
        return
      }
      hit = plan.gpus[index].segments.compactMap { current[$0.id] }
    case .segment(let id):
      guard let index = current[id] else {
        refuse(.unknownTarget, event: event, "the plan has no segment \(id)")
        return
      }
      hit = [index]
    }
    for index in hit { segments[index].addOutage(.init(start: start, end: end)) }
  }
}
