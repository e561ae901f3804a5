/// One way to run a model on an instance: size, batch and processes against speed.
public struct ProfilePoint: Hashable, Sendable {
  /// Index into ``GPUProduct/profiles`` of the product the point belongs to.
  public var profile: Int
  /// Requests served together by one process, at least 1.
  public var batch: Int
  /// MPS processes on the instance, at least 1.
  public var processes: Int
  /// Requests per second of all processes together, above 0.
  public var throughput: Double
  /// Execution latency of one full batch in milliseconds, above 0.
  public var latencyMs: Double
  /// Framebuffer used by all processes together in MiB; nil where it was not measured.
  public var memoryMiB: Double?
  public var source: ProfileSource
  /// Share by which the latency is stretched, and the throughput cut, beyond what a fitted model expects, at least 0:
  /// the expected latency is `latencyMs / (1 + margin)`. 0 for points that were not filled.
  public var margin: Double

  public init(
    profile: Int, batch: Int, processes: Int, throughput: Double, latencyMs: Double, memoryMiB: Double? = nil,
    source: ProfileSource = .measured, margin: Double = 0
  ) {
    self.profile = profile
    self.batch = batch
    self.processes = processes
    self.throughput = throughput
    self.latencyMs = latencyMs
    self.memoryMiB = memoryMiB
    self.source = source
    self.margin = margin
  }

  public var place: ProfilePlace { ProfilePlace(profile: profile, batch: batch, processes: processes) }
}
