package import ParvaEngine

/// What is to be planned, and by whom.
package struct PlanningJob: Sendable {
  package var planner: any Planner
  package var input: PlanningInput
  /// How long the planner may look for a better plan once it has one.
  package var patience: Duration
  /// Whether the planner only stands in for another that failed: its plan then has to serve more than what stands.
  package var isResort = false

  package init(planner: any Planner, input: PlanningInput, patience: Duration) {
    self.planner = planner
    self.input = input
    self.patience = patience
  }
}
