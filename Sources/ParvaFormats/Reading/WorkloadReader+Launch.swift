package import ParvaEngine
package import ParvaWire

/// Between the wire and the engine.
extension WorkloadReader {
  /// What a node is told of a workload's launch.
  package static func launch(of workload: Workload) -> LaunchSpec? {
    guard let command = workload.launch else { return nil }
    let limits = LaunchSpec.Limits(memoryMiB: command.memoryMiB, cpus: command.cpus)
    return LaunchSpec(
      command: command.command, args: command.args.isEmpty ? nil : command.args,
      env: command.env.isEmpty ? nil : command.env, workdir: command.workdir, port: command.port,
      health: command.health, stopTimeout: command.stopTimeout, limits: limits == LaunchSpec.Limits() ? nil : limits)
  }

  static func queue(
    _ text: String?, launch: ServerCommand?, _ refusals: inout Refusals,
    _ place: (InputError.Code, String, [String], String?) -> InputError
  ) -> QueueForm? {
    guard let text else { return nil }
    guard let queue = QueueForm(rawValue: text) else {
      refusals.add(place(.outOfRange, "queue must be shared or perProcess", ["queue"], text))
      return nil
    }
    if queue == .shared, launch?.tellsProcesses == false {
      refusals.add(
        place(
          .contradiction,
          "with a shared queue one server is launched for a segment, and has to be told by {processes} how many model "
            + "instances to hold", ["queue"], text))
    }
    return queue
  }

  static func command(_ launch: LaunchSpec) -> ServerCommand {
    ServerCommand(
      command: launch.command, args: launch.args ?? [], env: launch.env ?? [:], workdir: launch.workdir,
      port: launch.port, health: launch.health, stopTimeout: launch.stopTimeout, memoryMiB: launch.limits?.memoryMiB,
      cpus: launch.limits?.cpus)
  }
}
