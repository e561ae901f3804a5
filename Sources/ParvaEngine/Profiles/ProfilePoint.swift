/// One measured (or modelled) way to run a model on an instance: size, batch and processes against speed.
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

  public init(
    profile: Int, batch: Int, processes: Int, throughput: Double, latencyMs: Double, memoryMiB: Double? = nil
  ) {
    self.profile = profile
    self.batch = batch
    self.processes = processes
    self.throughput = throughput
    self.latencyMs = latencyMs
    self.memoryMiB = memoryMiB
  }
}
