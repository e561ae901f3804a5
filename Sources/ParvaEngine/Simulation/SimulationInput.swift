/// What a simulation plays through. Every value has been validated at the edge.
public struct SimulationInput: Sendable {
  public var plan: Plan
  /// The demand: rates, objectives, arrival processes.
  public var workloads: [Workload]
  public var profiles: ProfileCatalogue
  /// In any order.
  public var events: [SimulationEvent]
  public var options: SimulationOptions

  public init(
    plan: Plan, workloads: [Workload], profiles: ProfileCatalogue, events: [SimulationEvent] = [],
    options: SimulationOptions = SimulationOptions()
  ) {
    self.plan = plan
    self.workloads = workloads.sorted { $0.id < $1.id }
    self.profiles = profiles
    self.events = events
    self.options = options
  }
}

/// What becomes of the requests that wait or run on a segment when it fails.
public enum FailurePolicy: String, Hashable, Sendable, CaseIterable {
  /// They are lost.
  case lose
  /// They are sent again at once to the remaining segments; their latency counts from their first arrival.
  case retry
}

/// How a simulation is run.
public struct SimulationOptions: Hashable, Sendable {
  /// Seconds that are measured, above 0.
  public var duration: Double
  /// Seconds of arrivals before time 0 that fill the queues and are not counted, at least 0.
  public var warmup: Double
  /// One run each; at least one.
  public var seeds: [UInt64]
  /// Pattern of all streams; nil for the one that each workload declares.
  public var arrivals: ArrivalShape?
  /// What ``ArrivalProcess/trace(name:)`` refers to.
  public var traces: [String: ArrivalRecording]
  /// Milliseconds that a free process waits for a batch to fill, at least 0.
  public var longestWaitMs: Double
  /// Most requests that wait on one segment, at least 1; more are lost.
  public var queueLimit: Int
  public var failurePolicy: FailurePolicy
  /// Equal stretches of the duration for which load and attainment are told, at least 1.
  public var buckets: Int

  public init(
    duration: Double = 60, warmup: Double = 10, seeds: [UInt64] = [1], arrivals: ArrivalShape? = nil,
    longestWaitMs: Double = 0, queueLimit: Int = 1 << 16, failurePolicy: FailurePolicy = .lose, buckets: Int = 120,
    traces: [String: ArrivalRecording] = [:]
  ) {
    self.duration = duration
    self.warmup = warmup
    self.seeds = seeds
    self.arrivals = arrivals
    self.longestWaitMs = longestWaitMs
    self.queueLimit = queueLimit
    self.failurePolicy = failurePolicy
    self.buckets = buckets
    self.traces = traces
  }

  /// The pattern in which a workload's requests arrive; a trace that is not there was refused before.
  package func shape(of workload: Workload) -> ArrivalShape {
    arrivals ?? ArrivalShape(workload.arrivals, traces: traces) ?? .poisson
  }
}

/// Why a simulation cannot be run, with the place in the input.
public struct SimulationRefusal: Hashable, Sendable {
  public enum Code: String, Hashable, Sendable, CaseIterable {
    /// A segment serves a workload that the demand does not have.
    case unknownWorkload = "unknown_workload"
    /// A segment runs another model than its workload asks for.
    case wrongModel = "wrong_model"
    /// No profile of the segment's model on its product.
    case noProfile = "no_profile"
    /// The profile has no points of the segment's instance and processes, or none of so large a batch.
    case unknownPoint = "unknown_point"
    /// A workload arrives by a trace that is not given.
    case unknownTrace = "unknown_trace"
    /// An event names what the plan in force does not have.
    case unknownTarget = "unknown_target"
  }

  public var code: Code
  /// 0 for the plan itself, then the plans of the events in order of time; nil for what concerns an event.
  public var plan: Int?
  public var gpu: Int?
  /// Index of the segment within its GPU.
  public var segment: Int?
  /// Index of the event in the input.
  public var event: Int?
  /// One sentence for a person.
  public var message: String
}

/// All refusals of one input, at least one, at most ``kept``.
public struct SimulationRefusals: Error, Hashable, Sendable {
  static let kept = 20
  public let refusals: [SimulationRefusal]
}
