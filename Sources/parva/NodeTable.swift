import ParvaNode
import ParvaWire

/// A node's state for a person.
enum NodeTable {
  static func text(_ node: ObservedNode, owned: [OwnedInstance]) -> String {
    var lines = [
      "driver \(node.driverVersion)" + (node.cudaVersion.map { ", CUDA \($0)" } ?? "") + ", read through \(node.source)"
        + (node.simulated ? ", SIMULATED: no hardware" : "")
    ]
    for gpu in node.gpus {
      let mode =
        switch gpu.mig {
        case nil: "no MIG"
        case let mig? where mig.current != mig.pending: "MIG \(mig.current ? "on" : "off"), change pending a reset"
        case let mig?: "MIG \(mig.current ? "on" : "off")"
        }
      lines.append("GPU \(gpu.index)  \(gpu.board)  \(gpu.uuid)  \(gpu.fault.map { "FAULT \($0)" } ?? mode)")
      for process in gpu.processes { lines.append("    process \(process.pid)  \(process.name)") }
      let mine = gpu.owned(owned)
      for instance in gpu.instances.sorted(by: { $0.start < $1.start }) {
        let name = gpu.profile(id: instance.profileID)?.name ?? "profile \(instance.profileID)"
        let unreadable = instance.unreadable.map { "  unreadable (\($0))" }
        let shape = unreadable ?? (instance.isWhole ? "" : "  \(instance.computes.count) compute instances")
        lines.append(
          "  \(instance.start):\(instance.size)  \(name)  id \(instance.id)  \(instance.uuid ?? "-")"
            + (mine.contains(instance) ? "  parva" : "  foreign") + shape)
        for process in instance.computes.flatMap(\.processes) {
          lines.append("    process \(process.pid)  \(process.name)")
        }
        if let unknown = instance.computes.lazy.compactMap(\.processesUnknown).first {
          lines.append("    processes unknown (\(unknown))")
        }
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
