/// Something that happens during a simulation. Times are seconds from the start of what is measured, at least 0.
public enum SimulationEvent: Hashable, Sendable {
  public enum Target: Hashable, Sendable {
    /// Index of a GPU in the plan in force at that time.
    case gpu(Int)
    /// ``Segment/id`` of a segment of the plan in force at that time.
    case segment(String)
  }

  /// From `time` on the rate goes within `over` seconds to `factor` times what the workload declares; all workloads
  /// where none is named.
  case rate(time: Double, factor: Double, over: Double, workload: String?)
  /// The target fails, and comes back empty after `duration` seconds where one is given.
  case failure(time: Double, target: Target, duration: Double?)
  /// Another plan takes over. Segments that it keeps go on; those that go take no more requests and work off their
  /// queues; new ones are up after `downtime` seconds, and then what the old ones still hold is treated as at a failure.
  case replan(time: Double, plan: Plan, downtime: Double)

  public var time: Double {
    switch self {
    case .rate(let time, _, _, _), .failure(let time, _, _), .replan(let time, _, _): time
    }
  }
}
