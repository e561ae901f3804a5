import ArgumentParser
import Foundation
import ParvaEngine
import ParvaFormats

/// `parva plan`: demand in, plan out.
struct PlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Plan which MIG instances on how many GPUs serve the workloads.",
    discussion: """
      Ends with 3 when a workload cannot be served: its reason goes to standard error, and the plan of what fits is \
      printed only with --allow-partial.
      """)

  @Option(name: .long, help: "Workloads as JSON, YAML or CSV; - is standard input.")
  var workloads: String

  @Option(
    name: .long,
    help: """
      The plan in force, as JSON or YAML; - is standard input. Among plans of least cost planner optimal then takes one \
      that changes few segments of it.
      """)
  var from: String?

  @OptionGroup var demand: DemandOptions
  @OptionGroup var planner: PlannerArgument
  @OptionGroup var planning: PlanningArguments
  @OptionGroup var capacities: CapacityOptions
  @OptionGroup var output: PlanOutput

  @Flag(name: .long, help: "Print the plan of what fits when some workload cannot be served.")
  var allowPartial = false

  @Flag(name: .long, help: "Add the proof of the lower bound to the plan (planner optimal, JSON or YAML).")
  var certificate = false

  @Flag(name: .long, help: "Tell on standard error how long each stage took.")
  var verbose = false

  func run() throws {
    var stopwatch = Stopwatch(enabled: verbose)
    guard from != "-" || (workloads != "-" && demand.pools != "-") else {
      throw ValidationError("Only one input can be standard input.")
    }
    var options = try planning.options
    options.certificate = certificate
    var input = try demand.input(workloads: workloads, options: options)
    let known = capacities.load()
    input.capacities = known.cache
    if let from { input.current = try PlanReader.readInForce(try InputSource.load(from, limit: InputLimits.planBytes)) }
    stopwatch.lap("read \(input.workloads.count) workloads")
    var plan = try planner.resolved().plan(input, planning.context(workloads: input.workloads.count))
    stopwatch.lap("planned with \(plan.planner)")
    capacities.save(known)
    var violations = PlanChecker.violations(
      of: plan, against: input, planning.context(workloads: input.workloads.count))
    if !violations.isEmpty, !known.facts.isEmpty {
      // The judge knows nothing of the file, so a file that tells lies is found out here.
      input.capacities = CapacityCache()
      plan = try planner.resolved().plan(input, planning.context(workloads: input.workloads.count))
      violations = PlanChecker.violations(
        of: plan, against: input, planning.context(workloads: input.workloads.count))
      capacities.save(CapacityOptions.Known(facts: [], cache: input.capacities))
    }
    stopwatch.lap("checked")
    guard violations.isEmpty else {
      throw CommandFailure(
        .unexpected, "the plan did not pass its own check:\n" + VerdictWriter.lines(violations).joined(separator: "\n"))
    }
    if plan.status != .infeasible || allowPartial {
      try output.write(plan)
      stopwatch.lap("wrote \(plan.gpus.count) GPUs")
    }
    if plan.summary.isCutShort, output.isForPeople {
      Console.error("the time limit ended the planner's work; --deadline gives it more")
    }
    if plan.status == .infeasible {
      if !(allowPartial && output.isForPeople) { Self.tellUnserved(plan) }
      throw CommandFailure(
        .infeasible, allowPartial ? nil : "no plan serves every workload; --allow-partial prints what fits")
    }
  }

  private static func tellUnserved(_ plan: Plan) {
    for refusal in plan.unplaced {
      Console.error("\(refusal.workload): \(refusal.message) [\(refusal.code.rawValue)]")
    }
  }
}

/// In which form a plan goes to standard output.
struct PlanOutput: ParsableArguments {
  @Option(
    name: [.customShort("o"), .customLong("output")],
    help: "Format of the result: \(PlanExports.all.map(\.format.name).joined(separator: ", ")).")
  var format = DocumentFormat.table.name

  @Flag(name: .long, help: "Draw tables in plain ASCII; the default where the locale is not UTF-8.")
  var ascii = false

  var isForPeople: Bool { format == DocumentFormat.table.name }

  func validate() throws { _ = try export }

  func write(_ plan: Plan) throws { try Console.write(try export.write(plan, nil, Console.style(ascii: ascii))) }

  private var export: PlanExport {
    get throws {
      guard let export = PlanExports.named(format) else {
        throw ValidationError(
          "Unknown format '\(format)'; there are \(PlanExports.all.map(\.format.name).joined(separator: ", ")).")
      }
      return export
    }
  }
}
