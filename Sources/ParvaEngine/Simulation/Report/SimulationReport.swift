/// What a simulation found, over all seeds.
public struct SimulationReport: Sendable {
  public struct WorkloadFigures: Sendable {
    public var workload: Workload
    /// Requests that arrived in the measured time.
    public var requests: Int
    /// Finished within the measured time.
    public var completed: Int
    /// Waiting or running at its end; served afterwards, and counted in every figure.
    public var pending: Int
    public var lost: [RequestLoss: Int]
    /// Finished within the SLO, whenever.
    public var withinSLO: Int
    /// Share of the requests finished within the SLO, by seed; 1 where none arrived.
    public var attainmentBySeed: [Double]
    /// Waiting plus execution of every request that was served, in seconds.
    public var latencies: LatencyHistogram
    /// Requests waiting, on all segments together, averaged over time.
    public var meanQueue: Double
    /// Most requests waiting on one segment.
    public var longestQueue: Int
    /// Share of the time that the processes execute, weighted by compute slices.
    public var utilisation: Double
    /// Requests a batch; 0 without batches.
    public var meanBatch: Double
    /// Share finished within the SLO of what ended in each stretch of time; nil where nothing ended.
    public var attainmentOverTime: [Double?]
    public var segments: [SegmentFigures]

    public var lostRequests: Int { lost.values.reduce(0, +) }
    /// Share of all requests of all seeds; 1 where none arrived.
    public var attainment: Double { requests == 0 ? 1 : Double(withinSLO) / Double(requests) }
    public var worstAttainment: Double { attainmentBySeed.min() ?? 1 }
  }

  public struct SegmentFigures: Sendable {
    public var id: String
    /// Index into ``SimulationReport/gpus``.
    public var gpu: Int
    /// 0 for the plan that the simulation begins with, 1 for the one that replaces it, and so on.
    public var plan: Int
    public var profile: String
    public var batch: Int
    public var processes: Int
    public var meanQueue: Double
    public var longestQueue: Int
    public var utilisation: Double
    public var meanBatch: Double
  }

  public struct GPUFigures: Sendable {
    public var pool: String
    public var product: String
    /// Share of the GPU's compute slices that execute, averaged over the measured time.
    public var load: Double
    /// The same in each stretch of time.
    public var loadOverTime: [Double]
  }

  public var plan: PlanSummary
  public var planner: String
  public var admission: String
  public var options: SimulationOptions
  /// In order of id.
  public var workloads: [WorkloadFigures]
  public var gpus: [GPUFigures]
  /// Times of the events, each with a word for it, in order.
  public var marks: [(time: Double, label: String)]
  /// Share of the slices held by segments that is not executing: internal slack as it comes out.
  public var slack: Double
  /// Arrivals played through, warm-up included.
  public var simulated: Int

  public var requests: Int { workloads.reduce(0) { $0 + $1.requests } }
  public var withinSLO: Int { workloads.reduce(0) { $0 + $1.withinSLO } }
  /// Share of all requests of all workloads finished within their SLOs; 1 where none arrived.
  public var attainment: Double { requests == 0 ? 1 : Double(withinSLO) / Double(requests) }
}
