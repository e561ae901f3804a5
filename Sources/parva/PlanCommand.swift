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

  @OptionGroup var demand: DemandOptions
  @OptionGroup var planning: PlanningArguments
  @OptionGroup var output: OutputOptions

  @Flag(name: .long, help: "Print the plan of what fits when some workload cannot be served.")
  var allowPartial = false

  @Flag(name: .long, help: "Tell on standard error how long each stage took.")
  var verbose = false

  func run() throws {
    var stopwatch = Stopwatch(enabled: verbose)
    let input = try demand.input(workloads: workloads, options: planning.options)
    stopwatch.lap("read \(input.workloads.count) workloads")
    let plan = try planning.resolvedPlanner().plan(input)
    stopwatch.lap("planned with \(plan.planner)")
    let violations = PlanChecker.violations(of: plan, against: input)
    stopwatch.lap("checked")
    guard violations.isEmpty else {
      throw CommandFailure(
        .unexpected, "the plan did not pass its own check:\n" + VerdictWriter.lines(violations).joined(separator: "\n"))
    }
    if plan.status != .infeasible || allowPartial {
      try PlanOutput.write(plan, output)
      stopwatch.lap("wrote \(plan.gpus.count) GPUs")
    }
    if plan.status == .infeasible {
      if !(allowPartial && output.format == .table) { PlanOutput.tellUnplaced(plan) }
      throw CommandFailure(
        .infeasible, allowPartial ? nil : "no plan serves every workload; --allow-partial prints what fits")
    }
  }
}

/// How a plan is to be made, as several verbs take it.
struct PlanningArguments: ParsableArguments {
  @Option(
    name: .long,
    help: """
      How to plan: \(Planners.all.map { "\($0.name) (\($0.summary))" }.joined(separator: "; ")) \
      (default: \(Planners.default.name)).
      """)
  var planner: String?

  @Option(
    name: .long,
    help: """
      Rule that says how much load a segment may take: \(AdmissionRule.allCases.map(\.rawValue).joined(separator: ", ")) \
      (default: \(PlanningOptions().admission.rawValue)).
      """)
  var admission: String?

  @Option(name: .long, help: "Most MPS processes on one instance.")
  var maxProcesses = PlanningOptions().maxProcesses

  @Flag(name: .customLong("no-optimization"), help: "Leave out the allocation optimization of planner parvagpu.")
  var noOptimization = false

  func validate() throws {
    _ = try resolvedPlanner()
    _ = try options
  }

  func resolvedPlanner() throws -> any Planner {
    guard let planner else { return Planners.default }
    guard let found = Planners.named(planner) else {
      throw ValidationError(
        "Unknown planner '\(planner)'; there are \(Planners.all.map(\.name).joined(separator: ", ")).")
    }
    return found
  }

  var options: PlanningOptions {
    get throws {
      guard InputLimits.processes.contains(maxProcesses) else {
        throw ValidationError(
          "--max-processes must be \(InputLimits.processes.lowerBound) to \(InputLimits.processes.upperBound).")
      }
      var options = PlanningOptions()
      options.maxProcesses = maxProcesses
      options.allocationOptimization = !noOptimization
      if let admission {
        guard let rule = AdmissionRule(rawValue: admission) else {
          throw ValidationError(
            "Unknown admission '\(admission)'; there are "
              + "\(AdmissionRule.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        options.admission = rule
      }
      return options
    }
  }
}

/// Prints plans in the format asked for.
enum PlanOutput {
  static func write(_ plan: Plan, _ output: OutputOptions) throws {
    switch output.format {
    case .table: try Console.write(PlanPicture(plan, style: output.style).text())
    case .json: try Console.write(PlanWriter.json(plan))
    case .yaml: try Console.write(PlanWriter.yaml(plan))
    case .csv: try Console.write(PlanWriter.csv(plan))
    }
  }

  static func tellUnplaced(_ plan: Plan) {
    for refusal in plan.unplaced {
      Console.error("\(refusal.workload): \(refusal.message) [\(refusal.code.rawValue)]")
    }
  }
}
