/// What the planner suffers from on the present demand, and what is done about it.
package struct PlanningTrouble: Codable, Hashable, Sendable {
  /// ``PlanningFailure/code``.
  package var code: String
  package var message: String
  package var demandRevision: Int
  /// The planner that stands in, or nil where the plan in force stays as it is.
  package var resort: String?
  /// How many attempts in a row have failed.
  package var attempts: Int

  package init(code: String, message: String, demandRevision: Int, resort: String?, attempts: Int) {
    self.code = code
    self.message = message
    self.demandRevision = demandRevision
    self.resort = resort
    self.attempts = attempts
  }
}
