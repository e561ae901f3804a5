import ArgumentParser
import Foundation
import ParvaFormats
import ParvaServing

/// The root of the command line: one verb a subcommand.
@main
struct ParvaCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "parva",
    abstract: "Plans, places and runs inference workloads on MIG GPUs.",
    discussion: """
      Exit codes: 0 done; 1 unexpected failure; 2 bad usage or input; 3 infeasible; 4 a check failed. Results alone go \
      to standard output, all else to standard error.
      """,
    version: Version.current,
    subcommands: [
      PlanCommand.self, ValidateCommand.self, DiffCommand.self, RolloutCommand.self, CompareCommand.self,
      SimulateCommand.self,
      GeometryCommand.self,
      ProfilesCommand.self, WorkloadsCommand.self, ServeCommand.self, NodeCommand.self, PlanWorkerCommand.self,
      GetCommand.self, DescribeCommand.self, WatchCommand.self, LogsCommand.self, TopCommand.self, ApplyCommand.self,
      DeleteCommand.self, CreateCommand.self,
      PinCommand.self, UnpinCommand.self, RollbackCommand.self, WindowCommand.self, ContextCommand.self,
      TokenCommand.self,
      AuditCommand.self,
      ExportCommand.self,
      BackupCommand.self, RestoreCommand.self, ProxyCommand.self,
    ])

  /// Runs the verb and ends the process with the code that the interface promises.
  static func main() async {
    var verb: any ParsableCommand.Type = Self.self
    var configuration: VerbConfiguration?
    do {
      let arguments = Array(CommandLine.arguments.dropFirst())
      if let script = BashCompletion.script(of: Self.self, arguments) { return try Console.write(script) }
      configuration = try VerbConfiguration.of(arguments)
      var command = try await asyncParseAsRoot(configuration?.arguments ?? arguments)
      verb = type(of: command)
      if let configuration, arguments.contains("--print-config") {
        try Console.write(configuration.text)
        return
      }
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
    } catch {
      Foundation.exit(report(error, of: verb, configuration))
    }
  }

  /// Says what went wrong and returns the exit code. The only place where errors become codes.
  private static func report(
    _ error: any Error, of verb: any ParsableCommand.Type, _ configuration: VerbConfiguration?
  ) -> Int32 {
    switch error {
    case let refusals as InputErrors:
      Console.error(refusals.description)
      return ExitStatus.badInput.rawValue
    case let failure as CommandFailure:
      if let message = failure.message { Console.error(message) }
      return failure.status.rawValue
    case let refusal as ValidationError where verb != Self.self:
      // The verb itself knows nothing of what stands before it on the command line.
      let origins = configuration?.origins(in: refusal.message) ?? ""
      Console.error("Error: \(refusal.message)\(origins)\n" + usage(of: verb))
      return ExitStatus.badInput.rawValue
    default:
      let code = verb.exitCode(for: error)
      let message = verb.fullMessage(for: error)
      if code.isSuccess {
        print(message)
        return ExitStatus.done.rawValue
      }
      let told = code == .validationFailure ? UnknownOption.message() ?? message : message
      Console.error(told + (configuration?.origins(in: told) ?? ""))
      return code == .validationFailure ? ExitStatus.badInput.rawValue : ExitStatus.unexpected.rawValue
    }
  }

  /// How a verb is called, from `parva` on, and what tells more.
  static func usage(of verb: any ParsableCommand.Type) -> String {
    let usage = usageString(for: verb)
    let name = usage.split(separator: " ").prefix { $0.first != "[" && $0.first != "<" && $0.first != "-" }
    return "Usage: \(usage)\n  See '\(name.joined(separator: " ")) --help' for more information."
  }
}
