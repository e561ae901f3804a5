import ParvaEngine
import Testing

/// Plans of one workload on segments of one invented model, for comparison with queueing theory.
enum SimulatedQueue {
  static let product = ProductCatalogue.product(named: "A100-80GB")!

  /// - Parameters:
  ///   - latenciesMs: execution time by measured batch size.
  ///   - segments: segments of equal load, each on a GPU of its own.
  static func input(
    latenciesMs: [Int: Double], batch: Int, processes: Int = 1, rate: Double, sloMs: Double = 1000, segments: Int = 1,
    queue: QueueForm = .shared, arrivals: ArrivalShape = .poisson, events: [SimulationEvent] = [],
    options: SimulationOptions
  ) throws -> SimulationInput {
    let instance = try #require(product.plannedProfiles.first)
    let points = latenciesMs.map { size, milliseconds in
      ProfilePoint(
        profile: instance, batch: size, processes: processes,
        throughput: 1000 * Double(size * processes) / milliseconds, latencyMs: milliseconds)
    }
    var options = options
    options.arrivals = arrivals
    return SimulationInput(
      plan: plan(batch: batch, processes: processes, loads: Array(repeating: rate / Double(segments), count: segments)),
      workloads: [Workload(id: "w", model: "m", rate: rate, sloLatencyMs: sloMs, declaredQueue: queue)],
      profiles: ProfileCatalogue([
        ModelProfile(model: "m", product: product.name, source: .measured, points: points)
      ]), events: events, options: options)
  }

  /// One segment a GPU.
  static func plan(batch: Int, processes: Int = 1, loads: [Double], capacities: [Double]? = nil) -> Plan {
    let instance = product.plannedProfiles[0]
    let gpus = loads.enumerated().map { index, load in
      PlannedGPU(
        pool: "default", product: product,
        segments: [
          Segment(
            workload: "w", ordinal: index, model: "m", profile: instance, start: 0, batch: batch,
            processes: processes, capacity: capacities?[index] ?? load, load: load, latencyMs: 1)
        ])
    }
    return Plan(
      planner: "test", admission: "half-slo", status: .feasible, gpus: gpus, unplaced: [],
      summary: PlanMetrics.summary(of: gpus, pools: [Pool(product: product)], profileSource: .measured))
  }

  static func run(_ input: SimulationInput) throws -> SimulationReport.WorkloadFigures {
    try #require(try Simulator.run(input).workloads.first)
  }
}
