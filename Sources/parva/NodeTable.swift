import ParvaNode
import ParvaWire

/// A node's state for a person.
enum NodeTable {
  /// - Parameter known: what is on record; nil where that cannot be read, and nobody knows whose an instance is.
  static func text(_ node: ObservedNode, known: NodeStore.Known?) -> String {
    var lines = [
      "driver \(node.driverVersion)" + (node.cudaVersion.map { ", CUDA \($0)" } ?? "") + ", read through \(node.source)"
        + (node.simulated ? ", SIMULATED: no hardware" : "")
    ]
    if let revision = known?.unfinished?.begin.wanted.revision {
      lines.append(
        "revision \(revision) has not come to its end: the agent's next start, or parva node apply, brings it there")
    }
    for gpu in node.gpus {
      let mode =
        switch gpu.mig {
        case nil: "no MIG"
        case let mig? where mig.current != mig.pending:
          "MIG \(mig.current ? "on" : "off"), \(mig.pending ? "on" : "off") after the next reset"
        case let mig?: "MIG \(mig.current ? "on" : "off")"
        }
      lines.append("GPU \(gpu.index)  \(gpu.board)  \(gpu.uuid)  \(gpu.fault.map { "FAULT \($0)" } ?? mode)")
      for process in gpu.processes { lines.append("    process \(process.pid)  \(process.name)") }
      if let unknown = gpu.processesUnknown { lines.append("    processes unknown (\(unknown))") }
      let mine = gpu.owned(known?.owned(on: gpu) ?? [])
      for instance in gpu.instances.sorted(by: { $0.start < $1.start }) {
        let name = gpu.profile(id: instance.profileID)?.name ?? "profile \(instance.profileID)"
        let unreadable = instance.unreadable.map { "  unreadable (\($0))" }
        let shape = unreadable ?? (instance.isWhole ? "" : "  \(instance.computes.count) compute instances")
        let owner =
          known == nil
          ? "  owner unknown"
          : !mine.contains(instance)
            ? "  foreign" : known?.isUnfinished(instance, on: gpu) == true ? "  parva, unfinished" : "  parva"
        lines.append(
          "  \(instance.start):\(instance.size)  \(name)  id \(instance.id)  \(instance.uuid ?? "-")"
            + owner + shape)
        for process in instance.computes.flatMap(\.processes) {
          lines.append("    process \(process.pid)  \(process.name)")
        }
        if let unknown = instance.computes.lazy.compactMap(\.processesUnknown).first {
          lines.append("    processes unknown (\(unknown))")
        }
      }
    }
    for (gpu, owned) in known?.lost(on: node) ?? [] {
      let places = owned.map { "\($0.place)" }.joined(separator: ", ")
      lines.append("LOST  \(gpu)  does not answer; on record there as Parva's: \(places)")
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
