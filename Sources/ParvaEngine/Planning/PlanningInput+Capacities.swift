extension PlanningInput {
  /// Works out the capacities that planners ask, those with one process an instance among them, so that what a planner
  /// takes afterwards is its own time. As long as the first plan of the input, less the planner.
  public func prepareCapacities(_ context: PlanningContext) {
    for processes in Set([1, options.maxProcesses]).sorted() {
      var input = self
      input.options.maxProcesses = processes
      _ = Market(input, support: .everything, hurries: false, context)
    }
  }
}
