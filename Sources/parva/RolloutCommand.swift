import ArgumentParser
import Foundation
import ParvaEngine
import ParvaFormats

/// `parva rollout`: how a fleet gets from one plan to another, worked out from files or done by a controller.
struct RolloutCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollout", abstract: "Bring plans to the nodes, and work out how a fleet gets from one to another.",
    subcommands: [
      RolloutPlanCommand.self, RolloutStartCommand.self, RolloutStatusCommand.self, RolloutPauseCommand.self,
      RolloutResumeCommand.self, RolloutAbortCommand.self, RolloutUndoCommand.self,
    ])
}

/// `parva rollout plan`: the waves, without touching anything.
struct RolloutPlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Show the waves from plan A to plan B and what each workload keeps on the way.",
    discussion: """
      A workload is to keep the lesser of both rates at every moment. Ends with 4 where no order of steps and no room \
      for segments in between allows that; the waves are those that fall least short.
      """)

  @Argument(help: "The plan before, as JSON or YAML; - is standard input.")
  var before: String

  @Argument(help: "The plan after, as JSON or YAML; - is standard input.")
  var after: String

  @Option(
    help: ArgumentHelp("Empty GPUs that may be used on the way, of each product of the plans.", valueName: "count"))
  var spare = 0

  @Option(
    help: ArgumentHelp("Share of its rate that a workload may lack on the way, as 10% or 0.1.", valueName: "share"))
  var maxUnavailable = "0%"

  @Option(help: ArgumentHelp("Seconds until a segment that goes has finished its requests.", valueName: "seconds"))
  var drain = TransitionTiming().drain

  @Option(help: ArgumentHelp("Seconds to make or unmake one instance.", valueName: "seconds"))
  var instance = TransitionTiming().instance

  @Option(help: ArgumentHelp("Seconds until the processes of a new segment answer.", valueName: "seconds"))
  var start = TransitionTiming().start

  @Option(help: ArgumentHelp("Draw GPUs over the waves into this SVG file.", valueName: "file"))
  var svg: String?

  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard before != "-" || after != "-" else { throw ValidationError("Only one plan can be standard input.") }
    guard (0...10_000).contains(spare) else { throw ValidationError("--spare must be 0 to 10000.") }
    guard try share <= 1 else { throw ValidationError("--max-unavailable must be 0% to 100%.") }
    for (name, value) in [("drain", drain), ("instance", instance), ("start", start)] {
      guard (0...86_400).contains(value) else { throw ValidationError("--\(name) must be 0 to 86400.") }
    }
  }

  private var share: Double { get throws { try PlanningArguments.share(maxUnavailable, of: "--max-unavailable") } }

  func run() throws {
    let old = try PlanReader.readInForce(try InputSource.load(before, limit: InputLimits.planBytes))
    let new = try PlanReader.readInForce(try InputSource.load(after, limit: InputLimits.planBytes))
    var products: [String: GPUProduct] = [:]
    for gpu in old.gpus + new.gpus { products[gpu.product.name] = gpu.product }
    let room = products.sorted { $0.key < $1.key }.flatMap { name, product in
      (0..<spare).map { TransitionInput.GPU(name: "spare \(name) \($0 + 1)", product: product) }
    }
    let input = TransitionInput(from: old, to: new, spare: room, maxUnavailable: try share)
    let transition = TransitionPlanner.plan(input)
    if let fault = TransitionChecker.faults(transition, of: input).first {
      throw CommandFailure(.unexpected, "the waves do not hold: \(fault.description)")
    }
    let writer = TransitionWriter(
      transition, of: input, timing: TransitionTiming(drain: drain, instance: instance, start: start))
    if let svg { try Console.write(writer.svg(), toFile: svg) }
    switch output.format {
    case .table: try Console.write(writer.text(output.style))
    case .json: try Console.write(writer.json())
    case .yaml: try Console.write(writer.yaml())
    case .csv: try Console.write(writer.csv())
    }
    if !transition.keepsService { throw CommandFailure(.checkFailed) }
  }
}
