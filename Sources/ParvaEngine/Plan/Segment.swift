/// One MIG GPU instance that runs a number of MPS processes of one model at one batch size.
public struct Segment: Hashable, Sendable {
  public var workload: String
  /// Number of the segment within its workload, from 0; with the workload it names the segment.
  public var ordinal: Int
  public var model: String
  /// Index into the product's ``GPUProduct/profiles``.
  public var profile: Int
  /// First axis unit of the instance.
  public var start: Int
  public var batch: Int
  public var processes: Int
  /// Requests per second that the segment may be given, by the admission rule.
  public var capacity: Double
  /// Requests per second that the plan gives it, at most `capacity`.
  public var load: Double
  /// Execution latency of one full batch in milliseconds.
  public var latencyMs: Double

  public init(
    workload: String, ordinal: Int, model: String, profile: Int, start: Int, batch: Int, processes: Int,
    capacity: Double, load: Double, latencyMs: Double
  ) {
    self.workload = workload
    self.ordinal = ordinal
    self.model = model
    self.profile = profile
    self.start = start
    self.batch = batch
    self.processes = processes
    self.capacity = capacity
    self.load = load
    self.latencyMs = latencyMs
  }

  /// Name that stays with the segment from plan to plan.
  public var id: String { "\(workload)/\(ordinal)" }

  public var placement: Placement { Placement(profile: profile, start: start) }
}
