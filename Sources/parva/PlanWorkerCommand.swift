import ArgumentParser
import ParvaAPI

/// `parva plan-worker`: the process that plans for a controller. It speaks with whoever started it, and is not for people.
struct PlanWorkerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan-worker", abstract: "Plan for the controller that started this process.", shouldDisplay: false)

  func run() throws { try WorkerService.run() }
}
