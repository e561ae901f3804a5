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
