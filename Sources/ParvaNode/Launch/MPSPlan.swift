import Foundation
import ParvaEngine
import ParvaWire

/// Which MPS daemons a node needs, and where each has its files.
struct MPSPlan: Sendable {
  /// nvidia-cuda-mps-control, or what stands in for it; looked for in PATH where it has no slash.
  var program: String
  /// Short and ours alone: the daemon puts Unix sockets under it.
  var runDirectory: URL
  var logDirectory: URL

  /// Room that `sun_path` leaves (unix(7): 108 bytes with the closing zero) beside the longest name the daemon uses.
  static let pathLimit = 107 - "/control_privileged".utf8.count

  /// More than one server shares the device, or settings were asked for.
  static func isNeeded(_ instance: WantedInstance) -> Bool { instance.servers > 1 || instance.mps != nil }

  /// By a hash of the UUID, since the name has to be short.
  func pipeDirectory(_ uuid: String) -> String {
    runDirectory.appendingPathComponent("mps/" + String(StableHash.value(of: uuid), radix: 36)).path
  }

  func logDirectory(_ uuid: String) -> String { logDirectory.appendingPathComponent("mps-\(uuid).d").path }

  /// What the daemon and its clients have in common.
  func environment(_ uuid: String) -> [String: String] {
    [
      "CUDA_VISIBLE_DEVICES": uuid, "CUDA_MPS_PIPE_DIRECTORY": pipeDirectory(uuid),
      "CUDA_MPS_LOG_DIRECTORY": logDirectory(uuid),
    ]
  }

  func daemon(of instance: WantedInstance, gpu: String, uuid: String) -> ServiceSpec? {
    guard Self.isNeeded(instance) else { return nil }
    // In the foreground, so that its pid is the one that was started.
    return ServiceSpec(
      kind: .mps, gpu: gpu, place: instance.place, uuid: uuid, ordinal: 0, workload: instance.workload,
      command: program, args: ["-f"], env: environment(uuid), stopTimeout: 10, mps: instance.mps)
  }

  func control(_ uuid: String, base: [String: String]) -> MPSControl {
    MPSControl(program: program, environment: base.merging(environment(uuid)) { $1 })
  }

  /// Where the program is; nil where it is not.
  func found(path: String) -> String? {
    let candidates =
      program.contains("/") ? [program] : path.split(separator: ":").map { "\($0)/\(program)" }
    return candidates.first { access($0, X_OK) == 0 }
  }
}
