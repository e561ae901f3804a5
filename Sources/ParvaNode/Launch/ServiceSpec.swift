import ParvaWire

/// One process to be kept on a MIG device. Equal values mean that what runs is what is wanted.
struct ServiceSpec: Codable, Hashable, Sendable {
  enum Kind: String, Codable, Sendable {
    /// The MPS control daemon of the device.
    case mps
    case server
  }

  var kind: Kind
  var gpu: String
  var place: InstancePlace
  /// UUID of the MIG device. It is bound to the place: an instance made again there has the same.
  var uuid: String
  /// Number of the server on its instance; 0 for the daemon.
  var ordinal: Int
  var workload: String?
  var command: String
  var args: [String]
  /// On top of ``ServiceEnvironment/inherited``.
  var env: [String: String]
  var workdir: String?
  var port: Int?
  /// Path of the health endpoint.
  var health: String?
  /// Seconds from being told to stop to being killed.
  var stopTimeout: Double
  var limits: LaunchSpec.Limits?
  var mps: MPSSettings?
  /// Id of the user that it runs as, its group's too; nil for the agent's own.
  var user: Int?

  /// Name of its files. A MIG device has one daemon, and one server of each number.
  var id: String { kind == .mps ? "mps-\(uuid)" : "server-\(uuid)-\(ordinal)" }
  /// Whether there is anything to ask for its health beyond being there.
  var isProbed: Bool { kind == .mps || port != nil }
}

enum ServiceEnvironment {
  /// Names that a service takes over from the agent; secrets and the agent's own settings are not among them.
  static let names = ["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH"]

  static func inherited(from environment: [String: String]) -> [String: String] {
    environment.filter { names.contains($0.key) }
  }
}
