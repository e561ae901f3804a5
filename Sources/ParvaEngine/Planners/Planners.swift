/// The planners there are.
public enum Planners {
  public static let all: [any Planner] = [
    OptimalPlanner(), ParvaGPUPlanner(), FirstFitPlanner(), MIGOnlyPlanner(), WholeGPUPlanner(),
  ]

  /// The planner used where the user names none.
  public static let `default`: any Planner = OptimalPlanner()

  public static func named(_ name: String) -> (any Planner)? { all.first { $0.name == name } }
}
