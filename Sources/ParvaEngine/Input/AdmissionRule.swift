/// How much load a profile point may be given under an SLO: all that planning, judging and telling a user need of a rule.
///
/// The rules there are stand in ``AdmissionRule/all``. Two rules of the same name are the same.
public struct AdmissionRule: Sendable {
  /// Name a user types: lower case, words joined by hyphens.
  public let name: String
  /// What it does in half a line, for help texts.
  public let summary: String
  /// Whether ``PlanningOptions/margin`` means anything to it.
  public let takesMargin: Bool
  /// The best point of every workload on every column and the load that it may be given.
  let offers: @Sendable (_ input: PlanningInput, _ columns: [InstanceColumn], _ context: PlanningContext) -> OfferTable
  /// Why a workload gets no offer although there are points of at most ``PlanningOptions/maxProcesses`` processes, and
  /// what would be enough.
  let reason: @Sendable (_ workload: Workload, _ input: PlanningInput) -> Unserved
  /// Judges what plans by this rule claim, in code that shares nothing with `offers`.
  let judge: @Sendable (_ input: PlanningInput) -> any CapacityJudge
}

/// What a rule offers.
struct OfferTable: Sendable {
  /// Row-major: workload x column; ``Offer/none`` where no point is admissible.
  var offers: [Offer]
  /// Capacities that no point exceeds, in the same order. Empty where the offers are the best there are, as they are unless time
  /// was over.
  var ceilings: [Double] = []
}

extension AdmissionRule: Hashable {
  public static func == (a: AdmissionRule, b: AdmissionRule) -> Bool { a.name == b.name }

  public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}
