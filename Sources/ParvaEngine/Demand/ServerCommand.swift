/// How the servers of a workload are started on the nodes. The engine carries it along, and looks only at whether a server is
/// told how many model instances it is to hold.
public struct ServerCommand: Hashable, Sendable {
  public var command: String
  public var args: [String]
  public var env: [String: String]
  public var workdir: String?
  /// Port of the first process on a node; each further one gets another above it.
  public var port: Int?
  /// Path of the health endpoint on the port.
  public var health: String?
  /// Seconds between SIGTERM and SIGKILL.
  public var stopTimeout: Double?
  /// Limit of a process's memory in MiB.
  public var memoryMiB: Int?
  /// Limit of a process's processor time in cores.
  public var cpus: Double?

  public init(
    command: String, args: [String] = [], env: [String: String] = [:], workdir: String? = nil, port: Int? = nil,
    health: String? = nil, stopTimeout: Double? = nil, memoryMiB: Int? = nil, cpus: Double? = nil
  ) {
    self.command = command
    self.args = args
    self.env = env
    self.workdir = workdir
    self.port = port
    self.health = health
    self.stopTimeout = stopTimeout
    self.memoryMiB = memoryMiB
    self.cpus = cpus
  }

  /// Whether some text holds `{processes}`, so that one server can serve a whole segment. `{{` is a brace.
  public var tellsProcesses: Bool {
    ([command, workdir ?? "", health ?? ""] + args + env.values).contains { text in
      text.replacing("{{", with: "").contains("{processes}")
    }
  }
}
