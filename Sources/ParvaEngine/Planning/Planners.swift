/// A way to turn demand into a plan. Pure: the same input gives the same plan.
public protocol Planner: Sendable {
  /// Name a user types: lower case, words joined by hyphens.
  var name: String { get }
  /// What it does in half a line, for help texts.
  var summary: String { get }
  func plan(_ input: PlanningInput) -> Plan
}
