package import ParvaEngine

/// Where plans are worked out.
package protocol PlanningBackend: Sendable {
  /// The judged plan. One job at a time; others wait in order.
  func plan(_ job: PlanningJob) async throws(PlanningFailure) -> Plan
  /// Ends what runs; no job succeeds after it.
  func stop()
}
