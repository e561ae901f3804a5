import ArgumentParser
import ParvaEngine

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
