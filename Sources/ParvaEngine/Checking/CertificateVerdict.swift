/// What a certificate is worth once the sums are done again by code of its own.
public struct CertificateVerdict: Hashable, Sendable {
  public var kind: PlanCertificate.Kind
  /// The certificate is about plans of at most so many MPS processes on an instance.
  public var maxProcesses: Int
  /// No plan costs less, as the prices alone prove; nil where they prove nothing.
  public var verifiedBound: Double?
  /// The least value of the objective that the verified bound allows.
  public var verifiedLeast: Double?
  /// What the plan costs in units of the objective.
  public var cost: Double
  /// Why the bound could not be worked out again although nothing is wrong with the certificate.
  public var reservation: String?
  public var violations: [PlanViolation]

  /// Whether the prices prove that no plan costs less than this one.
  public var provesOptimality: Bool {
    violations.isEmpty && (verifiedLeast.map { cost <= $0 + 1e-6 * max(1, cost) } ?? false)
  }
}
