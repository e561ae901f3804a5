import ArgumentParser
import ParvaControl
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
      beginning ends with a proven plan of the same cost; who is refused must be so in that search, too. What can be \
      neither verified nor refuted is named. Ends with 4 when anything is wrong.
      """)

  @Argument(help: "The plan as JSON or YAML; - is standard input.")
  var plan: String

  @Option(name: .long, help: "The workloads that the plan is to serve, as JSON, YAML or CSV; - is standard input.")
  var workloads: String?

  @OptionGroup var demand: DemandOptions
  @OptionGroup var output: OutputOptions

  @Option(
    name: .long, help: "Most MPS processes on one instance; without it as many as the plan says that it was allowed.")
  var maxProcesses: Int?

  @Option(
    help: ArgumentHelp(
      "What the plan must be besides valid: certificate, optimal, admission=RULE, margin=SHARE, with commas between.",
      valueName: "list"))
  var require: String?

  @Option(help: "Seconds for a search that settles what no certificate proves; there are two at most.")
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
    let findings = try workloads.map { workloads in
      let input = try demand.input(workloads: workloads, options: try options(for: judged))
      return PlanAudit.findings(of: judged, against: input, maxProcesses: maxProcesses) { context(input) }
    }
    let proof = findings?.proof
    let reservations = findings?.reservations ?? [PlanAudit.reservation(without: judged)]
    var violations =
      findings?.violations ?? PlanChecker.violations(of: judged) + PlanAudit.violations(inWordsOf: judged)
    violations += try (require.map(PlanRequirement.parse) ?? []).compactMap { $0.violation(of: judged, proof) }
    switch output.format {
    case .json: try Console.write(VerdictWriter.json(violations, proof, reservations))
    case .yaml: try Console.write(VerdictWriter.yaml(violations, proof, reservations))
    case .csv: try Console.write(VerdictWriter.csv(violations))
    case .table:
      let verdict =
        violations.isEmpty
        ? "valid: \(judged.gpus.count) GPUs, \(judged.gpus.reduce(0) { $0 + $1.segments.count }) segments, "
          + (workloads == nil ? "judged by itself" : "judged against its demand")
        : "\(violations.count) violation\(violations.count == 1 ? "" : "s")"
      try Console.write(
        (VerdictWriter.lines(violations) + (proof.map { [VerdictWriter.line($0)] } ?? [])
          + (findings?.isProvenAgain == true
            ? ["proven again: a search from the beginning finds no plan that costs less"] : [])
          + reservations.map { VerdictWriter.line($0) }
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
    return PlanningOptions(admission: rule)
  }

  /// All cores, and the time of one search; what is worked out of capacities before has as much of its own.
  private func context(_ input: PlanningInput) -> PlanningContext {
    let patience = PlanningContext.patience(within: .seconds(deadline), workloads: input.workloads.count)
    return .allCores(patience: patience, preparation: patience)
  }
}
