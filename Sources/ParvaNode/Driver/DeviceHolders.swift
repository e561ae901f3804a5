import Foundation
import ParvaWire

/// Who has a GPU's device or the capability of an instance open. The driver's lists show compute and graphics processes;
/// monitors, display servers, clients that are just dying and leaked handles are in none of them.
enum DeviceHolders {
  /// Processes but this one with `/dev/nvidiaMINOR` open, or where an instance is named the nodes of its capabilities, by
  /// pid. Those of other users show only to root. O(descriptors).
  static func processes(minor: Int, instance: Int? = nil, proc: String = "/proc") -> [ObservedProcess] {
    var devices: Set = ["/dev/nvidia\(minor)"]
    if let instance {
      for (_, number) in minors(proc: proc, below: "gpu\(minor)/gi\(instance)/") {
        devices.insert("/dev/nvidia-caps/nvidia-cap\(number)")
      }
    }
    let files = FileManager.default
    let pids = ((try? files.contentsOfDirectory(atPath: proc)) ?? []).compactMap { Int($0) }
    return pids.sorted().filter { $0 != Int(ProcessInfo.processInfo.processIdentifier) }.compactMap { pid in
      let folder = "\(proc)/\(pid)/fd"
      let names = (try? files.contentsOfDirectory(atPath: folder)) ?? []
      let holds = names.contains { name in
        (try? files.destinationOfSymbolicLink(atPath: "\(folder)/\(name)")).map(devices.contains) == true
      }
      guard holds else { return nil }
      let name = (try? String(contentsOfFile: "\(proc)/\(pid)/comm", encoding: .utf8)) ?? "unknown"
      return ObservedProcess(pid: pid, name: LogTail.cleaned(name))
    }
  }

  /// The driver's capabilities with the minor numbers of their nodes, as `mig-minors` lists them: `config`, `monitor`,
  /// `gpuN/giM/access`, `gpuN/giM/ciK/access`.
  static func minors(proc: String, below prefix: String = "") -> [(name: String, minor: Int)] {
    let text = (try? String(contentsOfFile: "\(proc)/driver/nvidia-caps/mig-minors", encoding: .utf8)) ?? ""
    return text.split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ")
      guard words.count == 2, words[0].hasPrefix(prefix), let minor = Int(words[1]) else { return nil }
      return (String(words[0]), minor)
    }
  }

  /// Minor numbers of the GPUs that the driver has found.
  static func minors(ofGPUs proc: String) -> [Int] {
    let folder = "\(proc)/driver/nvidia/gpus"
    let buses = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return buses.compactMap { minor(bus: $0, proc: proc) }.sorted()
  }

  /// The number of the node of the GPU at a PCI address, as the driver's folder of GPUs tells it.
  static func minor(bus: String, proc: String) -> Int? {
    // nvidia-smi writes eight digits of the domain where the folder has four.
    let folder = bus.lowercased().split(separator: ":").enumerated().map { $0 == 0 ? $1.suffix(4) : $1 }
    let path = "\(proc)/driver/nvidia/gpus/\(folder.joined(separator: ":"))/information"
    let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix("Device Minor:") }
    return line.flatMap { Int($0.dropFirst("Device Minor:".count).trimmingCharacters(in: .whitespaces)) }
  }

  /// Who holds what a step needs, as one clause for people, with what would end it.
  static func clause(_ holders: [ObservedProcess]?) -> String {
    guard let holders, !holders.isEmpty else {
      return
        (holders == nil ? "who holds it cannot be told here" : "no process shows that holds it")
        + "; NVIDIA's DCGM (nv-hostengine, dcgm-exporter) does so without being listed, "
        + "and so does a CUDA client for some seconds after its death: stop nvidia-dcgm and try again"
    }
    let named = holders.map { "\($0.pid) (\($0.name))" }.joined(separator: ", ")
    let dcgm = holders.contains { $0.name.hasPrefix("nv-hostengine") || $0.name.hasPrefix("dcgm") }
    return "it is open in \(named): end " + (dcgm ? "NVIDIA's DCGM with systemctl stop nvidia-dcgm" : "it first")
  }
}
