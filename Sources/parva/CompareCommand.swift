import ArgumentParser
import Foundation
import ParvaEngine
import ParvaFormats

/// `parva compare`: several planners on one input.
struct CompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Run several planners on one input and compare GPUs, bound, slack, fragmentation, cost and time.")

  @Option(name: .long, help: "Workloads as JSON, YAML or CSV; - is standard input.")
  var workloads: String

  @Option(
    name: .long,
    help: """
      Planners joined by commas; the others are measured against the first \
      (default: \(Planners.all.map(\.name).joined(separator: ","))).
      """)
  var planners: String?

  @OptionGroup var demand: DemandOptions
  @OptionGroup var planning: PlanningArguments
  @OptionGroup var output: OutputOptions

  @Option(name: .long, help: "Draw a chart into this file, as SVG.")
  var svg: String?

  func validate() throws { _ = try chosen }

  private var chosen: [any Planner] {
    get throws {
      guard let planners else { return Planners.all }
      return try planners.split(separator: ",", omittingEmptySubsequences: false).map {
        try PlannerArgument.planner(String($0))
      }
    }
  }

  func run() throws {
    let input = try demand.input(workloads: workloads, options: planning.options)
    let clock = ContinuousClock()
    let capacities = clock.measure { input.prepareCapacities(planning.context(workloads: input.workloads.count)) }
    let outcomes = try chosen.map { try outcome(of: $0, on: input) }
    let writer = ComparisonWriter(
      workloads: input.workloads.count, capacityMilliseconds: capacities / .milliseconds(1), outcomes: outcomes)
    if let svg {
      do {
        try writer.svg().write(to: URL(filePath: svg))
      } catch {
        throw CommandFailure(.unexpected, "\(svg) cannot be written: \(error.localizedDescription)")
      }
    }
    switch output.format {
    case .table: try Console.write(writer.text(output.style))
    case .json: try Console.write(writer.json())
    case .yaml: try Console.write(writer.yaml())
    case .csv: try Console.write(writer.csv())
    }
  }

  /// Plans, and judges the plan as strictly as every other. Of what takes moments the shortest of three runs counts:
  /// the first one pays for cold caches.
  private func outcome(of planner: any Planner, on input: PlanningInput) throws -> PlannerOutcome {
    let clock = ContinuousClock()
    let first = timed(planner, input, clock)
    let plan = first.plan
    var time = first.time
    for _ in 0..<2 where time < .milliseconds(100) { time = min(time, timed(planner, input, clock).time) }
    let violations = PlanChecker.violations(
      of: plan, against: input, planning.context(workloads: input.workloads.count))
    guard violations.isEmpty else {
      throw CommandFailure(
        .unexpected,
        "the plan of \(planner.name) did not pass its check:\n"
          + VerdictWriter.lines(violations).joined(separator: "\n"))
    }
    return PlannerOutcome(plan, milliseconds: time / .milliseconds(1))
  }

  private func timed(
    _ planner: any Planner, _ input: PlanningInput, _ clock: ContinuousClock
  ) -> (plan: Plan, time: Duration) {
    let context = planning.context(workloads: input.workloads.count)
    let began = clock.now
    let plan = planner.plan(input, context)
    return (plan, clock.now - began)
  }
}
