import Foundation
import ParvaWire

/// Who has a GPU's device open. The driver's lists show compute and graphics processes; monitors, display servers and
/// leaked handles keep a GPU from being reset and are in none of them.
enum DeviceHolders {
  /// Processes but this one with `/dev/nvidiaMINOR` open, by pid. Those of other users show only to root. O(descriptors).
  static func processes(minor: Int, proc: String = "/proc") -> [ObservedProcess] {
    let device = "/dev/nvidia\(minor)"
    let files = FileManager.default
    let pids = ((try? files.contentsOfDirectory(atPath: proc)) ?? []).compactMap { Int($0) }
    return pids.sorted().filter { $0 != Int(ProcessInfo.processInfo.processIdentifier) }.compactMap { pid in
      let folder = "\(proc)/\(pid)/fd"
      let names = (try? files.contentsOfDirectory(atPath: folder)) ?? []
      let holds = names.contains { (try? files.destinationOfSymbolicLink(atPath: "\(folder)/\($0)")) == device }
      guard holds else { return nil }
      let name = (try? String(contentsOfFile: "\(proc)/\(pid)/comm", encoding: .utf8)) ?? "unknown"
      return ObservedProcess(pid: pid, name: LogTail.cleaned(name))
    }
  }
}
