/// How the servers of one segment are started. Text values may hold `{port}`, `{batch}`, `{process}`, `{processes}`,
/// `{uuid}`, `{gpu}`, `{profileId}`, `{workload}`, `{model}` and `{segment}`; `{{` is a brace.
package struct LaunchSpec: Codable, Hashable, Sendable {
  /// What one process may use, where the node can see to it.
  package struct Limits: Codable, Hashable, Sendable {
    package var memoryMiB: Int?
    /// Processor time in cores.
    package var cpus: Double?

    package init(memoryMiB: Int? = nil, cpus: Double? = nil) {
      self.memoryMiB = memoryMiB
      self.cpus = cpus
    }

    package init(from decoder: any Decoder) throws {
      let object = try decoder.object("memoryMiB", "cpus")
      memoryMiB = try object.optionalInteger("memoryMiB")
      cpus = try object.optionalNumber("cpus")
    }
  }

  package var command: String
  package var args: [String]?
  package var env: [String: String]?
  package var workdir: String?
  /// Lowest port to use. Each process of the node gets a port of its own, this one or the next that is free above it.
  package var port: Int?
  /// Path of the health endpoint on the port, for example `/healthz`; without it a connection to the port is enough.
  package var health: String?
  /// Seconds between SIGTERM and SIGKILL; 30 when absent.
  package var stopTimeout: Double?
  package var limits: Limits?

  package init(
    command: String, args: [String]? = nil, env: [String: String]? = nil, workdir: String? = nil, port: Int? = nil,
    health: String? = nil, stopTimeout: Double? = nil, limits: Limits? = nil
  ) {
    self.command = command
    self.args = args
    self.env = env
    self.workdir = workdir
    self.port = port
    self.health = health
    self.stopTimeout = stopTimeout
    self.limits = limits
  }

  package init(from decoder: any Decoder) throws {
    let object = try decoder.object("command", "args", "env", "workdir", "port", "health", "stopTimeout", "limits")
    command = try object.decode(String.self, forKey: "command")
    args = try object.decodeIfPresent([String].self, forKey: "args")
    env = try object.decodeIfPresent([String: String].self, forKey: "env")
    workdir = try object.decodeIfPresent(String.self, forKey: "workdir")
    port = try object.optionalInteger("port")
    health = try object.decodeIfPresent(String.self, forKey: "health")
    stopTimeout = try object.optionalNumber("stopTimeout")
    limits = try object.decodeIfPresent(Limits.self, forKey: "limits")
  }
}
