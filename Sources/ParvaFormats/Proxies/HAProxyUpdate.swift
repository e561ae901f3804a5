import Foundation

/// The commands that bring an HAProxy from what it holds to the endpoints, and what only another file can bring.
///
/// Pure, by level: it follows from what is held and what is wanted, whatever came before. Servers keep their slots.
package struct HAProxyUpdate: Hashable, Sendable {
  /// What no command can bring.
  package enum Lack: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The workload is new since the file was written.
    case backend(workload: String)
    /// It has more servers that are ready than its backend has slots.
    case slots(workload: String, wanted: Int, held: Int)
    /// Addresses by command are numbers.
    case name(workload: String, address: String)

    package var description: String {
      switch self {
      case .backend(let workload): "workload \(workload) has no backend"
      case .slots(let workload, let wanted, let held):
        "workload \(workload) has \(wanted) servers that are ready and \(held) slots for them"
      case .name(let workload, let address):
        "workload \(workload) has a server \(address), and a name is taken from the file only"
      }
    }
  }

  package private(set) var commands: [String] = []
  /// In order.
  package private(set) var lacks: [Lack] = []

  package init(_ workloads: [ProxiedWorkload], held: HAProxyServers) {
    let wanted = Dictionary(workloads.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    for id in Set(wanted.keys).union(held.backends.keys).sorted() {
      let workload = wanted[id] ?? ProxiedWorkload(id: id, servers: [])
      guard let slots = held.backends[id] else {
        if !workload.servers.isEmpty { lacks.append(.backend(workload: id)) }
        continue
      }
      update(workload, slots)
    }
    lacks.sort()
  }

  private mutating func update(_ workload: ProxiedWorkload, _ slots: [HAProxyServers.Slot]) {
    let weights = HAProxyFile.weights(workload.servers)
    var open: [String: [Int]] = [:]
    for (index, server) in workload.servers.enumerated() {
      open[Self.key(server.address, server.port), default: []].append(index)
    }
    var free: [HAProxyServers.Slot] = []
    var changes: [String] = []
    for slot in slots {
      // By name first: the number that it resolved to is not what the endpoints say.
      let key = [slot.name, slot.address].compactMap(\.self).map { Self.key($0, slot.port) }
        .first { open[$0]?.isEmpty == false }
      guard let key, let index = open[key]?.removeFirst() else {
        free.append(slot)
        continue
      }
      let path = Self.path(workload.id, slot)
      if slot.weight != weights[index] { changes.append("set server \(path) weight \(weights[index])") }
      let state = workload.servers[index].state
      if slot.state != state { changes.append("set server \(path) state \(Self.word(state))") }
    }
    let missing = open.values.joined().sorted().filter { workload.servers[$0].state == .ready }
    let ready = workload.servers.count { $0.state == .ready }
    // Those that nobody uses first.
    free.sort { ($0.state, $0.number) < ($1.state, $1.number) }
    var next = 0
    for index in missing {
      let server = workload.servers[index]
      guard ToldEndpointsReader.isIPAddress(server.address) else {
        lacks.append(.name(workload: workload.id, address: server.address))
        continue
      }
      guard next < free.count else {
        lacks.append(.slots(workload: workload.id, wanted: ready, held: slots.count))
        break
      }
      let path = Self.path(workload.id, free[next])
      if free[next].state != .down { commands.append("set server \(path) state maint") }
      commands.append("set server \(path) addr \(server.address) port \(server.port)")
      commands.append("set server \(path) weight \(weights[index])")
      commands.append("set server \(path) state ready")
      next += 1
    }
    // Who comes is there before others go.
    commands += changes
    for slot in free[next...] where slot.state != .down {
      commands.append("set server \(Self.path(workload.id, slot)) state maint")
    }
  }

  private static func path(_ workload: String, _ slot: HAProxyServers.Slot) -> String {
    "\(HAProxyFile.backend(workload))/\(HAProxyFile.slot(slot.number))"
  }

  private static func word(_ state: ProxiedWorkload.State) -> String {
    switch state {
    case .ready: "ready"
    case .draining: "drain"
    case .down: "maint"
    }
  }

  /// One text for an address however it is written.
  private static func key(_ address: String, _ port: Int) -> String {
    var six = in6_addr()
    guard inet_pton(AF_INET6, address, &six) == 1 else { return "\(address.lowercased()) \(port)" }
    let digits = withUnsafeBytes(of: &six) { bytes in bytes.map { String($0, radix: 16) }.joined(separator: ".") }
    return "\(digits) \(port)"
  }
}
