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

  static func command(_ launch: LaunchSpec) -> ServerCommand {
    ServerCommand(
      command: launch.command, args: launch.args ?? [], env: launch.env ?? [:], workdir: launch.workdir,
      port: launch.port, health: launch.health, stopTimeout: launch.stopTimeout, memoryMiB: launch.limits?.memoryMiB,
      cpus: launch.limits?.cpus)
  }
}
