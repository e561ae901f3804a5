/// Figures of a whole plan.
public struct PlanSummary: Hashable, Sendable {
  /// GPUs with at least one segment.
  public var gpuCount: Int
  /// Proven lower bound of the objective; nil for planners that prove none.
  public var lowerBound: Double?
  /// Objective minus the least value the bound allows; 0 means proven minimal. Nil without a bound.
  public var gap: Double?
  /// Compute slices of all segments.
  public var allocatedSlices: Int
  /// Share of compute slices that no segment holds, 0...1.
  public var externalFragmentation: Double
  /// Share of the allocated slices' capacity that no load uses, 0...1.
  public var internalSlack: Double
  /// Sums of the figures that every pool in use states, by ``PlanObjective/name``.
  public var sums: [String: Double]
  public var profileSource: ProfileSource
  /// Whether the time limit ended some step of the planner. A plan of which it ended none does not depend on the clock.
  public var isCutShort: Bool

  public init(
    gpuCount: Int, lowerBound: Double? = nil, gap: Double? = nil, allocatedSlices: Int, externalFragmentation: Double,
    internalSlack: Double, sums: [String: Double] = [:], profileSource: ProfileSource, isCutShort: Bool = false
  ) {
    self.gpuCount = gpuCount
    self.lowerBound = lowerBound
    self.gap = gap
    self.allocatedSlices = allocatedSlices
    self.externalFragmentation = externalFragmentation
    self.internalSlack = internalSlack
    self.sums = sums
    self.profileSource = profileSource
    self.isCutShort = isCutShort
  }
}
