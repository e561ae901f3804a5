import Foundation
import Glibc
import ParvaFormats
import ParvaWire

/// The server processes that an instance asks for.
struct LaunchPlan: Sendable {
  var mps: MPSPlan

  static func count(_ instance: WantedInstance) -> Int { instance.launch == nil ? 0 : instance.servers }

  /// What process `ordinal` of an instance is, on this port.
  func server(
    _ ordinal: Int, of instance: WantedInstance, launch: LaunchSpec, gpu: String, uuid: String, port: Int?
  ) throws(LaunchTemplate.Refusal) -> ServiceSpec {
    var values: [LaunchTemplate.Placeholder: String] = [
      .process: String(ordinal), .processes: String(instance.processes ?? 1), .uuid: uuid, .gpu: gpu,
      .profileId: String(instance.profileID),
    ]
    values[.port] = port.map { String($0) }
    values[.batch] = instance.batch.map { String($0) }
    values[.workload] = instance.workload
    values[.model] = instance.model
    values[.segment] = instance.segment
    var environment =
      MPSPlan.isNeeded(instance) ? mps.environment(uuid) : ["CUDA_VISIBLE_DEVICES": uuid]
    for (name, value) in launch.env ?? [:] { environment[name] = try LaunchTemplate.expand(value, values) }
    var args: [String] = []
    for arg in launch.args ?? [] { args.append(try LaunchTemplate.expand(arg, values)) }
    var workdir: String?
    if let folder = launch.workdir { workdir = try LaunchTemplate.expand(folder, values) }
    var health: String?
    if let path = launch.health { health = try LaunchTemplate.expand(path, values) }
    return ServiceSpec(
      kind: .server, gpu: gpu, place: instance.place, uuid: uuid, ordinal: ordinal, workload: instance.workload,
      command: try LaunchTemplate.expand(launch.command, values), args: args, env: environment, workdir: workdir,
      port: port, health: health, stopTimeout: launch.stopTimeout ?? 30, limits: launch.limits)
  }

  /// The lowest port from `base` that none of ours has and that nobody on this machine listens on.
  static func freePort(from base: Int, beside taken: Set<Int>) -> Int? {
    guard base > 0 else { return nil }
    for port in base...max(base, 65_535) where port <= 65_535 && !taken.contains(port) && isFree(port) { return port }
    return nil
  }

  static func isFree(_ port: Int) -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return true }
    defer { close(descriptor) }
    // As servers do: a port whose last connections are still being forgotten is free.
    var on: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(port)).bigEndian
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
  }
}
