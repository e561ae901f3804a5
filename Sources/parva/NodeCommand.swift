import ArgumentParser

/// `parva node`: the agent of a machine with GPUs, and its local verbs.
struct NodeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "node",
    abstract: "Run the agent of this machine's GPUs, or look at and change them here.",
    discussion: """
      Without a verb the agent runs: it takes signed plans over HTTP, applies them step by step with a journal, and \
      keeps the last verified one standing. The other verbs work on this machine directly, without an agent.

      --simulate runs all of it against a stand-in driver: no hardware is touched, and everything says so.
      """,
    subcommands: [
      NodeRunCommand.self, NodeStateCommand.self, NodeApplyCommand.self, NodeAssertCommand.self,
      NodeDiffCommand.self, NodeExportCommand.self, NodeDoctorCommand.self, NodePrepareCommand.self,
    ],
    defaultSubcommand: NodeRunCommand.self)
}
