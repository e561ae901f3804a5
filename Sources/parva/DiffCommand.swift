import ArgumentParser
import ParvaFormats

/// `parva diff`: what changes from one plan to another.
struct DiffCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff",
    abstract: "Show what changes from plan A to plan B.",
    discussion: "Ends with 4 when the plans differ. GPUs that are merely numbered differently do not.")

  @Argument(help: "The plan before, as JSON or YAML; - is standard input.")
  var before: String

  @Argument(help: "The plan after, as JSON or YAML; - is standard input.")
  var after: String

  @OptionGroup var output: OutputOptions

  func run() throws {
    guard before != "-" || after != "-" else { throw ValidationError("Only one plan can be standard input.") }
    let old = try PlanReader.readInForce(try InputSource.load(before, limit: InputLimits.planBytes))
    let new = try PlanReader.readInForce(try InputSource.load(after, limit: InputLimits.planBytes))
    let diff = PlanDiffWriter(from: old, to: new)
    switch output.format {
    case .table: try Console.write(diff.text(output.style))
    case .json: try Console.write(diff.json())
    case .yaml: try Console.write(diff.yaml())
    case .csv: try Console.write(diff.csv())
    }
    if !diff.isEmpty { throw CommandFailure(.checkFailed) }
  }
}
