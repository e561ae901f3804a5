/// A way to turn demand into a plan. Pure: the same input gives the same plan.
public protocol Planner: Sendable {
  /// Name a user types: lower case, words joined by hyphens.
  var name: String { get }
  /// What it does in half a line, for help texts.
  var summary: String { get }
  /// Whether its plans come with a bound on what they minimise.
  var provesBound: Bool { get }
  /// Plans for validated input. The caller re-judges the result with ``PlanChecker``.
  func plan(_ input: PlanningInput, _ context: PlanningContext) -> Plan
}

/// Names that messages refer to.
enum PlannerNames {
  /// The planner used where the user names none; it honours every constraint.
  static let `default` = "optimal"
}

extension Planner {
  public var provesBound: Bool { false }

  /// Plans on one core and without a deadline.
  public func plan(_ input: PlanningInput) -> Plan { plan(input, .serial) }
}
