import ArgumentParser
import ParvaControl
import ParvaEngine
import ParvaFormats

/// Which planner, where a verb uses one.
struct PlannerArgument: ParsableArguments {
  @Option(
    name: .long,
    help: """
      How to plan: \(Planners.all.map { "\($0.name) (\($0.summary))" }.joined(separator: "; ")) \
      (default: \(Planners.default.name)).
      """)
  var planner: String?

  func validate() throws { _ = try resolved() }

  func resolved() throws -> any Planner { try planner.map(Self.planner) ?? Planners.default }

  static func planner(_ name: String) throws -> any Planner {
    guard let found = Planners.named(name) else {
      throw ValidationError(
        "Unknown planner '\(name)'; there are \(Planners.all.map(\.name).joined(separator: ", ")).")
    }
    return found
  }
}

/// The value of an option that turns something on or off.
enum Switch: String, ExpressibleByArgument, CaseIterable {
  case on, off
}

/// How a plan is to be made, whatever the planner.
struct PlanningArguments: ParsableArguments {
  /// A profile that is a tenth too fast then breaks no promise.
  private static let usualMargin = 0.1

  private static let objectives = PlanObjective.allCases.map { objective in
    objective.figure.map { "\(objective.name) (the pools' \($0))" } ?? objective.name
  }

  @Option(
    name: .long,
    help: """
      Rule that says how much load a segment may take: \
      \(AdmissionRule.all.map { "\($0.name) (\($0.summary))" }.joined(separator: "; ")) \
      (default: \(AdmissionRule.default.name)).
      """)
  var admission: String?

  @Option(
    name: .long,
    help: """
      What rule certified keeps in reserve for errors of the profile and growth of the rate, as 10% or 0.1: a capacity \
      is divided by one more than this, or than a workload's own slo.margin (default: \(Self.usualMargin)).
      """)
  var margin: String?

  @Option(name: .long, help: "Most MPS processes on one instance.")
  var maxProcesses = PlanningOptions().maxProcesses

  @Option(
    name: .long,
    help: """
      What planner optimal minimises: \
      \(Self.objectives.joined(separator: ", ")) \
      (default: \(PlanningOptions().objective.name)).
      """)
  var objective: String?

  @Option(name: .long, help: "Seconds of improving after which a planner settles for the best plan it has.")
  var deadline = 2.0

  @Option(
    name: .long,
    help: """
      Whether planner optimal puts unused slices to work as spare capacity, without a GPU more: on or off.
      """)
  var headroom = Switch.on

  @Option(
    name: .customLong("max-extra-gpus"),
    help: """
      How many GPUs more than the least may be used to change fewer segments of the plan in force. With --move-cost, 0 \
      leaves the number to the price.
      """)
  var maxExtraGPUs = 0

  @Option(
    name: .customLong("move-cost"),
    help: """
      What a changed segment of the plan in force costs beside the objective, in GPUs: 0.05 lets twenty changes count as \
      much as one GPU more. 0 asks for the least cost first.
      """)
  var moveCost = 0.0

  @Flag(name: .customLong("no-optimization"), help: "Leave out the allocation optimization of planner parvagpu.")
  var noOptimization = false

  func validate() throws {
    guard (0...86_400).contains(deadline) else { throw ValidationError("--deadline must be 0 to 86400 seconds.") }
    guard InputLimits.processes.contains(maxProcesses) else {
      throw ValidationError(
        "--max-processes must be \(InputLimits.processes.lowerBound) to \(InputLimits.processes.upperBound).")
    }
    guard try margin == nil || options.admission.takesMargin else {
      let takers = AdmissionRule.all.filter(\.takesMargin).map(\.name).joined(separator: ", ")
      throw ValidationError("--margin belongs to --admission \(takers).")
    }
    guard (0...1_000_000).contains(maxExtraGPUs) else {
      throw ValidationError("--max-extra-gpus must be 0 to 1000000.")
    }
    guard InputLimits.moveCost.contains(moveCost) else {
      throw ValidationError(
        "--move-cost must be \(Int(InputLimits.moveCost.lowerBound)) to \(Int(InputLimits.moveCost.upperBound)) GPUs.")
    }
    _ = try options
  }

  /// All cores, and patience until the deadline, less what follows a search.
  func context(workloads: Int) -> PlanningContext {
    .allCores(patience: PlanningContext.patience(within: .seconds(deadline), workloads: workloads))
  }

  var options: PlanningOptions {
    get throws {
      PlanningOptions(
        admission: try admission.map(Self.rule) ?? .default, maxProcesses: maxProcesses,
        allocationOptimization: !noOptimization,
        objective: try Self.choice("objective", objective) ?? PlanningOptions().objective,
        margin: try margin.map { try Self.share($0, of: "--margin") } ?? Self.usualMargin,
        headroom: headroom == .on, maxExtraGPUs: maxExtraGPUs, moveCost: moveCost)
    }
  }

  private static func rule(_ name: String) throws -> AdmissionRule {
    guard let rule = AdmissionRule.named(name) else {
      throw ValidationError(
        "Unknown admission '\(name)'; there are \(AdmissionRule.all.map(\.name).joined(separator: ", ")).")
    }
    return rule
  }

  /// A share of 1, written as 10% or 0.1.
  static func share(_ text: String, of option: String) throws -> Double {
    let isPercent = text.hasSuffix("%")
    guard let number = Double(isPercent ? text.dropLast() : text[...]),
      InputLimits.capacityMargin.contains(isPercent ? number / 100 : number)
    else {
      throw ValidationError(
        "\(option) is a share from \(Int(InputLimits.capacityMargin.lowerBound)) to \(Int(InputLimits.capacityMargin.upperBound)), as 10% "
          + "or 0.1, not '\(text)'.")
    }
    return isPercent ? number / 100 : number
  }

  private static func choice<Word: RawRepresentable & CaseIterable>(
    _ what: String, _ text: String?
  ) throws -> Word? where Word.RawValue == String {
    guard let text else { return nil }
    guard let word = Word(rawValue: text) else {
      throw ValidationError(
        "Unknown \(what) '\(text)'; there are \(Word.allCases.map(\.rawValue).joined(separator: ", ")).")
    }
    return word
  }
}
