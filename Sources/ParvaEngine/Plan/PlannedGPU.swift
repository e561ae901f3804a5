/// One GPU of a plan with its segments in order of start.
public struct PlannedGPU: Hashable, Sendable {
  public var pool: String
  public var product: GPUProduct
  /// Node and UUID once the plan is bound to real GPUs.
  public var node: String?
  public var uuid: String?
  public var segments: [Segment]

  public init(pool: String, product: GPUProduct, node: String? = nil, uuid: String? = nil, segments: [Segment]) {
    self.pool = pool
    self.product = product
    self.node = node
    self.uuid = uuid
    self.segments = segments
  }
}
