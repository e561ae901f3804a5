import ArgumentParser
import ParvaControl
import ParvaEngine

/// What a plan says of itself beyond what it holds, looked into: that it is of least cost, and what a user requires.
struct PlanClaims {
  let plan: Plan
  let input: PlanningInput
  /// What the plan's own certificate was found to prove; nil without one.
  let proof: CertificateVerdict?
  /// Time to search again what no certificate proves.
  let patience: Duration

  /// How the claim to be of least cost was settled.
  enum Outcome: Equatable {
    /// The plan claims nothing.
    case noClaim
    case certificate
    /// A search from the beginning ended with a plan that costs the same and is proven.
    case repeated
    case refuted(PlanViolation)
  }

  private var claims: Bool { plan.status == .optimal || plan.summary.gap == 0 }

  /// Planning again is as long as planning; it is done only where a certificate does not settle it.
  func settle() -> Outcome {
    guard claims else { return .noClaim }
    if proof?.provesOptimality == true { return .certificate }
    var input = input
    let objective = plan.certificate?.objective ?? input.options.objective
    let processes = plan.gpus.flatMap(\.segments).map(\.processes).max() ?? 1
    input.options.objective = objective
    input.options.certificate = false
    input.options.maxProcesses = plan.certificate?.maxProcesses ?? max(processes, PlanningOptions().maxProcesses)
    // What is found wrong must not be so for want of time.
    input.prepareCapacities(.allCores(patience: patience))
    let again = Planners.default.plan(input, .allCores(patience: patience))
    guard let cost = Self.cost(plan, objective), let least = Self.cost(again, objective) else {
      return .refuted(PlanViolation(.unproven, "a pool in use does not state its \(objective.name)"))
    }
    if again.unplaced.count < plan.unplaced.count {
      return .refuted(
        PlanViolation(
          .notOptimal, "a plan leaves out \(again.unplaced.count) workloads, this one \(plan.unplaced.count)"))
    }
    let isSameService = again.unplaced.count == plan.unplaced.count && again.partial == plan.partial
    if isSameService, least < cost - 1e-6 * max(1, cost) {
      return .refuted(PlanViolation(.notOptimal, "a plan for the same demand costs \(least), this one \(cost)"))
    }
    let isProven = again.status == .optimal || again.summary.gap == 0
    guard isSameService, isProven, least <= cost + 1e-6 * max(1, cost) else {
      return .refuted(
        PlanViolation(
          .unproven,
          "nothing proves that no plan costs less: "
            + (plan.certificate == nil ? "there is no certificate" : "the certificate's prices prove less")
            + " and a search of \(patience.components.seconds) s does not end with a proof"))
    }
    return .repeated
  }

  private static func cost(_ plan: Plan, _ objective: PlanObjective) -> Double? {
    objective == .gpus ? Double(plan.gpus.count) : plan.summary.sums[objective.name]
  }
}

/// What a plan must be besides valid: the words of `--require`.
enum PlanRequirement: Hashable {
  case certificate
  case optimal
  case admission(String)
  /// At least this share.
  case margin(Double)

  /// `certificate,optimal,admission=certified,margin=10%`, in any order.
  static func parse(_ text: String) throws -> [PlanRequirement] {
    try text.split(separator: ",", omittingEmptySubsequences: false).map { word in
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      switch (parts[0], parts.count == 2 ? parts[1] : nil) {
      case ("certificate", nil): return .certificate
      case ("optimal", nil): return .optimal
      case ("admission", let name?) where AdmissionRule.named(name) != nil: return .admission(name)
      case ("margin", let share?): return .margin(try PlanningArguments.share(share, of: "--require margin"))
      default:
        throw ValidationError(
          "--require takes certificate, optimal, admission=RULE (\(AdmissionRule.all.map(\.name).joined(separator: ", "))) "
            + "and margin=SHARE, with commas between; '\(word)' is none.")
      }
    }
  }

  /// Why a plan does not meet it; nil where it does.
  func violation(of plan: Plan, _ proof: CertificateVerdict?) -> PlanViolation? {
    switch self {
    case .certificate:
      guard plan.certificate != nil else { return PlanViolation(.requirementMissed, "the plan has no certificate") }
      guard proof?.violations.isEmpty == true, proof?.verifiedBound != nil else {
        return PlanViolation(.requirementMissed, "the certificate proves no bound")
      }
    case .optimal:
      if plan.status != .optimal {
        return PlanViolation(.requirementMissed, "the plan is \(plan.status.rawValue), not optimal")
      }
    case .admission(let name):
      if plan.admission != name {
        return PlanViolation(.requirementMissed, "the plan's admission is \(plan.admission), not \(name)")
      }
    case .margin(let share):
      if (plan.margin ?? 0) < share {
        return PlanViolation(.requirementMissed, "the plan keeps a margin of \(plan.margin ?? 0), not \(share)")
      }
    }
    return nil
  }
}
