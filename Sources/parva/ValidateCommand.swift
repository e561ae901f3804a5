import ArgumentParser
import ParvaEngine
import ParvaFormats

/// `parva validate`: judge a plan again, from scratch.
struct ValidateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "validate",
    abstract: "Judge a plan again: legal placements and consistent figures, and with --workloads coverage and SLO too.",
    discussion: """
      With --workloads, a certificate in the plan is worked out again as well, and the bound that it proves is told. A \
      plan that says that it is of least cost is refused unless its certificate proves that or a search from the \
      beginning ends with a proven plan of the same cost. Ends with 4 when anything is wrong.
      """)

  @Argument(help: "The plan as JSON or YAML; - is standard input.")
  var plan: String

  @Option(name: .long, help: "The workloads that the plan is to serve, as JSON, YAML or CSV; - is standard input.")
  var workloads: String?

  @OptionGroup var demand: DemandOptions
  @OptionGroup var output: OutputOptions

  @Option(name: .long, help: "Most MPS processes on one instance; no limit without it.")
  var maxProcesses: Int?

  @Option(
    help: ArgumentHelp(
      "What the plan must be besides valid: certificate, optimal, admission=RULE, margin=SHARE, with commas between.",
      valueName: "list"))
  var require: String?

  @Option(help: "Seconds for the search that settles what no certificate proves.")
  var deadline = 2

  func validate() throws {
    guard (0...86_400).contains(deadline) else { throw ValidationError("--deadline must be 0 to 86400 seconds.") }
    _ = try require.map(PlanRequirement.parse)
  }

  func run() throws {
    guard workloads != nil || (demand.pools == nil && demand.profileOptions.profiles.isEmpty) else {
      throw ValidationError("--profiles and --pools judge a plan against its demand, so they need --workloads.")
    }
    guard plan != "-" || (workloads != "-" && demand.pools != "-") else {
      throw ValidationError("Only one input can be standard input.")
    }
    let judged = try PlanReader.read(try InputSource.load(plan, limit: InputLimits.planBytes))
    var violations: [PlanViolation]
    var outcome = PlanClaims.Outcome.noClaim
    var proof: CertificateVerdict?
    if let workloads {
      let input = try demand.input(workloads: workloads, options: try options(for: judged))
      violations = PlanChecker.violations(of: judged, against: input)
      proof = judged.certificate.map { CertificateChecker(input, judged).judge($0) }
      if violations.isEmpty {
        outcome = PlanClaims(plan: judged, input: input, proof: proof, patience: .seconds(deadline)).settle()
        if case .refuted(let violation) = outcome { violations.append(violation) }
      }
    } else {
      violations = PlanChecker.violations(of: judged)
    }
    violations += try (require.map(PlanRequirement.parse) ?? []).compactMap { $0.violation(of: judged, proof) }
    switch output.format {
    case .json: try Console.write(VerdictWriter.json(violations, proof))
    case .yaml: try Console.write(VerdictWriter.yaml(violations, proof))
    case .csv: try Console.write(VerdictWriter.csv(violations))
    case .table:
      let verdict =
        violations.isEmpty
        ? "valid: \(judged.gpus.count) GPUs, \(judged.gpus.reduce(0) { $0 + $1.segments.count }) segments, "
          + (workloads == nil ? "judged by itself" : "judged against its demand")
        : "\(violations.count) violation\(violations.count == 1 ? "" : "s")"
      try Console.write(
        (VerdictWriter.lines(violations) + (proof.map { [VerdictWriter.line($0)] } ?? [])
          + (outcome == .repeated ? ["proven again: a search from the beginning finds no plan that costs less"] : [])
          + [verdict])
          .joined(separator: "\n") + "\n")
    }
    if !violations.isEmpty { throw CommandFailure(.checkFailed) }
  }

  private func options(for plan: Plan) throws -> PlanningOptions {
    guard let rule = AdmissionRule.named(plan.admission) else {
      throw CommandFailure(
        .badInput,
        "the plan's admission is \"\(plan.admission)\"; known are "
          + AdmissionRule.all.map(\.name).joined(separator: ", "))
    }
    return PlanningOptions(
      admission: rule, maxProcesses: maxProcesses ?? InputLimits.processes.upperBound, margin: plan.margin ?? 0)
  }
}
