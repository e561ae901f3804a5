import Foundation
import Glibc
import ParvaWire

/// Control groups (version 2) for the services, in the part of the tree that was delegated to the agent.
///
/// The agent first moves itself into a leaf, since a group that hands its controllers down may hold no process.
struct ControlGroups: Sendable {
  /// The delegated group.
  let root: URL
  /// Of `memory` and `cpu`, those that services can be limited by.
  let controllers: Set<String>

  enum Failure: Error, Hashable, Sendable, CustomStringConvertible {
    case notMounted
    case notWritable(String)

    var description: String {
      switch self {
      case .notMounted: "there is no control group hierarchy of version 2"
      case .notWritable(let path): "\(path) is not delegated to the agent"
      }
    }
  }

  /// The agent's own group, made ready. Call it only where that group is the agent's to change.
  static func delegated() throws(Failure) -> ControlGroups {
    let mounts = (try? String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)) ?? ""
    let groups = (try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8)) ?? ""
    let mount = mounts.split(separator: "\n").map { $0.split(separator: " ") }.first {
      $0.count > 2 && $0[2] == "cgroup2"
    }
    let own = groups.split(separator: "\n").first { $0.hasPrefix("0::") }?.dropFirst(3)
    guard let mount, let own else { throw .notMounted }
    return try ControlGroups(at: URL(fileURLWithPath: String(mount[1]) + own), holdsAgent: true)
  }

  /// `holdsAgent` when the agent runs in the group itself and has to leave it.
  init(at root: URL, holdsAgent: Bool) throws(Failure) {
    // A run before this one may have left its leaf as ours.
    let own = root.lastPathComponent == "parva-agent" ? root.deletingLastPathComponent() : root
    let leaf = own.appendingPathComponent("parva-agent")
    guard access(own.path, W_OK) == 0 else { throw .notWritable(own.path) }
    let offered = (try? String(contentsOf: own.appendingPathComponent("cgroup.controllers"), encoding: .utf8)) ?? ""
    let useful = Set(offered.split { $0.isWhitespace }.map(String.init)).intersection(["memory", "cpu"])
    if holdsAgent && !useful.isEmpty {
      guard mkdir(leaf.path, 0o755) == 0 || errno == EEXIST else { throw .notWritable(own.path) }
      Self.write(String(getpid()), to: leaf.appendingPathComponent("cgroup.procs"))
    }
    controllers = useful.filter { Self.write("+\($0)", to: own.appendingPathComponent("cgroup.subtree_control")) }
    self.root = own
  }

  @discardableResult
  private static func write(_ text: String, to file: URL) -> Bool {
    let descriptor = open(file.path, O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return Glibc.write(descriptor, text, text.utf8.count) == text.utf8.count
  }

  private func group(_ id: String) -> URL { root.appendingPathComponent("parva-\(id)") }

  /// Puts a process that has not begun into a group of its own; answers the limits that could not be set.
  func admit(_ pid: Int, as id: String, limits: LaunchSpec.Limits?) -> [String] {
    let group = group(id)
    guard mkdir(group.path, 0o755) == 0 || errno == EEXIST else { return ["\(group.path) cannot be made"] }
    var missed = limit(id, limits)
    if !Self.write(String(pid), to: group.appendingPathComponent("cgroup.procs")) { missed.append("the group itself") }
    return missed
  }

  /// Sets the limits of a group that is there; answers those that could not be set. Controllers that were handed back
  /// between two runs of the agent have forgotten them.
  func limit(_ id: String, _ limits: LaunchSpec.Limits?) -> [String] {
    let group = group(id)
    var missed: [String] = []
    if let memory = limits?.memoryMiB {
      if !Self.write(String(memory << 20), to: group.appendingPathComponent("memory.max")) {
        missed.append("memoryMiB")
      }
    }
    if let cpus = limits?.cpus {
      // Microseconds of processor time in each 100 ms.
      if !Self.write("\(Int(cpus * 100_000)) 100000", to: group.appendingPathComponent("cpu.max")) {
        missed.append("cpus")
      }
    }
    return missed
  }

  func pids(_ id: String) -> [Int] {
    let text = (try? String(contentsOf: group(id).appendingPathComponent("cgroup.procs"), encoding: .utf8)) ?? ""
    return text.split(separator: "\n").compactMap { Int($0) }
  }

  /// Ends everything in the group, also what is being forked (cgroup.kill, Linux 5.14).
  func kill(_ id: String) { Self.write("1", to: group(id).appendingPathComponent("cgroup.kill")) }

  func remove(_ id: String) { rmdir(group(id).path) }
}
