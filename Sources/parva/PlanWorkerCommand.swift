import ArgumentParser
import ParvaControl

/// `parva plan-worker`: the process that plans for a controller. It speaks with whoever started it, and is not for people.
struct PlanWorkerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan-worker", abstract: "Plan for the controller that started this process.", shouldDisplay: false)

  @Option(name: .long, help: "Memory that this process may hold, in MiB.")
  var memoryMib: Int

  func validate() throws {
    guard (1...1 << 30).contains(memoryMib) else { throw ValidationError("--memory-mib must be 1 to 2^30.") }
  }

  func run() throws { try WorkerService.run(memoryMiB: memoryMib) }
}
