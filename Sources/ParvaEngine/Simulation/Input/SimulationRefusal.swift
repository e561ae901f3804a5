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
