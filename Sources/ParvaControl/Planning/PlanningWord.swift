/// What the controller that plans tells those that follow it beside its plans: why there is no newer one, or what the planner suffers from.
package struct PlanningWord: Codable, Hashable, Sendable {
  /// Revision of the plan that stands meanwhile; 0 for none.
  var revision: Int
  /// ``PlanBoard/View/attempted``.
  var attempted: Int
  /// Fingerprint of the fleet of an attempt that gave no plan.
  var offers: UInt64?
  /// Why that attempt gave none.
  var failure: String?
  var trouble: PlanningTrouble?
}

extension PlanBoard.View {
  /// Nil while planning is well.
  package var word: PlanningWord? {
    guard failure != nil || trouble != nil else { return nil }
    return PlanningWord(
      revision: plan?.record.revision ?? 0, attempted: attempted, offers: failedOffers, failure: failure,
      trouble: trouble)
  }
}
