import ParvaTestSupport
import Testing

@testable import ParvaFormats

/// What is told to an HAProxy, against one that does what its management guide says of the commands.
@Suite struct HAProxyUpdateTests {
  /// The servers of an HAProxy, by backend and slot.
  private struct Model {
    var slots: [String: [HAProxyServers.Slot]] = [:]

    var held: HAProxyServers { HAProxyServers(slots) }

    /// As it lists them.
    var text: String {
      var lines = [
        "1",
        "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_fqdn srv_port",
        "2 unknown 1 other 10.0.0.9 2 0 1 1 - 80",
      ]
      for (id, slots) in slots.sorted(by: { $0.key < $1.key }) {
        for slot in slots {
          let admin = slot.state == .ready ? 4 : slot.state == .draining ? 8 : 5
          lines.append(
            "3 workload:\(id) \(slot.number) slot\(slot.number) \(slot.address) 2 \(admin) \(slot.weight) 1 "
              + "\(slot.name ?? "-") \(slot.port)")
        }
      }
      return lines.joined(separator: "\n") + "\n\n"
    }

    /// Nil for what HAProxy would not take.
    mutating func take(_ command: String) -> Bool {
      let words = command.split(separator: " ").map(String.init)
      guard words.count >= 5, words[0] == "set", words[1] == "server",
        let slash = words[2].firstIndex(of: "/"), words[2].hasPrefix("workload:")
      else { return false }
      let id = String(words[2][..<slash].dropFirst("workload:".count))
      let name = words[2][words[2].index(after: slash)...]
      guard let index = slots[id]?.firstIndex(where: { "slot\($0.number)" == name }) else { return false }
      switch words[3] {
      case "addr":
        guard words.count == 7, ToldEndpointsReader.isIPAddress(words[4]), let port = Int(words[6]) else {
          return false
        }
        slots[id]?[index].address = words[4]
        slots[id]?[index].name = nil
        slots[id]?[index].port = port
      case "weight":
        guard let weight = Int(words[4]), (0...256).contains(weight) else { return false }
        slots[id]?[index].weight = weight
      case "state":
        let states: [String: ProxiedWorkload.State] = ["ready": .ready, "drain": .draining, "maint": .down]
        guard let state = states[words[4]] else { return false }
        slots[id]?[index].state = state
      default: return false
      }
      return true
    }
  }

  private static func server(_ dice: inout SeededGenerator, _ number: Int) -> ProxiedWorkload.Server {
    ProxiedWorkload.Server(
      address: ["10.0.0.\(number)", "fd00::\(number)", "m\(number).example"].randomElement(using: &dice) ?? "",
      port: 8_000 + number, weight: Int.random(in: 1...(1 << 31), using: &dice),
      state: [.ready, .ready, .draining, .down].randomElement(using: &dice) ?? .ready)
  }

  /// A HAProxy that has read the file.
  private static func started(_ workloads: [ProxiedWorkload], slots: Int) -> Model {
    var model = Model()
    for workload in workloads {
      let weights = HAProxyFile.weights(workload.servers)
      model.slots[workload.id] = (0..<max(slots, workload.servers.count)).map { index in
        guard index < workload.servers.count else {
          return HAProxyServers.Slot(number: index + 1, address: "127.0.0.1", port: 1, weight: 1, state: .down)
        }
        let server = workload.servers[index]
        let isName = !ToldEndpointsReader.isIPAddress(server.address)
        return HAProxyServers.Slot(
          number: index + 1, address: isName ? "10.9.9.9" : server.address, name: isName ? server.address : nil,
          port: server.port, weight: weights[index], state: server.state == .ready ? .ready : .down)
      }
    }
    return model
  }

  @Test(
    "along random changes HAProxy holds who is ready, with its weight, or it is said what is lacking", arguments: 0..<8)
  func commandsBringWhatIsWanted(number: Int) throws {
    let seed = TestSeed.of(offset: UInt64(number))
    var dice = SeededGenerator(seed)
    for _ in 0..<20 {
      var workloads = ["a", "b"].map { id in
        ProxiedWorkload(id: id, servers: (0..<Int.random(in: 0...4, using: &dice)).map { Self.server(&dice, $0) })
      }
      var model = Self.started(workloads, slots: 5)
      for _ in 0..<20 {
        Self.change(&workloads, &dice)
        if Int.random(in: 0..<8, using: &dice) == 0 {
          model = Self.started(workloads.filter { $0.id != "c" }, slots: 5)
        }
        let before = model
        // What it lists is what it holds.
        #expect(HAProxyServers(model.text) == model.held, "seed \(seed)")
        let update = HAProxyUpdate(workloads, held: model.held)
        for command in update.commands {
          let isTaken = model.take(command)
          #expect(isTaken, "seed \(seed): \(command)")
        }
        let after = HAProxyUpdate(workloads, held: model.held)
        #expect(after.commands.isEmpty && after.lacks == update.lacks, "seed \(seed): \(after.commands)")
        Self.compare(workloads, model, before, update.lacks, seed)
      }
    }
  }

  private static func change(_ workloads: inout [ProxiedWorkload], _ dice: inout SeededGenerator) {
    if workloads.count < 3, Int.random(in: 0..<10, using: &dice) == 0 {
      workloads.append(ProxiedWorkload(id: "c", servers: [server(&dice, 9)]))
    }
    for index in workloads.indices {
      workloads[index].servers.removeAll { _ in Int.random(in: 0..<4, using: &dice) == 0 }
      let number = Int.random(in: 0..<30, using: &dice)
      if !workloads[index].servers.contains(where: { $0.port == 8_000 + number }) {
        workloads[index].servers.append(server(&dice, number))
      }
      guard let one = workloads[index].servers.indices.randomElement(using: &dice) else { continue }
      workloads[index].servers[one].state = [.ready, .draining, .down].randomElement(using: &dice) ?? .ready
    }
  }

  /// Against the wish, by addresses.
  private static func compare(
    _ workloads: [ProxiedWorkload], _ model: Model, _ before: Model, _ lacks: [HAProxyUpdate.Lack], _ seed: UInt64
  ) {
    for workload in workloads {
      guard let slots = model.slots[workload.id] else {
        #expect(lacks.contains(.backend(workload: workload.id)) || workload.servers.isEmpty, "seed \(seed)")
        continue
      }
      let ready = slots.filter { $0.state == .ready }.map { "\($0.name ?? $0.address) \($0.port)" }
      let wanted = workload.servers.filter { $0.state == .ready }.map { "\($0.address) \($0.port)" }
      #expect(Set(ready).isSubset(of: wanted) && Set(ready).count == ready.count, "seed \(seed)")
      let isWhole = !lacks.contains { lack in
        switch lack {
        case .slots(workload.id, _, _), .name(workload.id, _): true
        default: false
        }
      }
      #expect((ready.count == wanted.count) == isWhole, "seed \(seed): \(lacks)")
      let weights = HAProxyFile.weights(workload.servers)
      for (server, weight) in zip(workload.servers, weights) {
        let slot = slots.first { ($0.name ?? $0.address) == server.address && $0.port == server.port }
        if let slot { #expect(slot.weight == weight && slot.state == server.state, "seed \(seed)") }
      }
      // Who is wanted stays where it is.
      for (old, new) in zip(before.slots[workload.id] ?? [], slots)
      where workload.servers.contains(where: { $0.address == (old.name ?? old.address) && $0.port == old.port }) {
        #expect(old.address == new.address && old.port == new.port, "seed \(seed)")
      }
    }
  }

  @Test func anAddressIsTheSameHoweverItIsWritten() {
    let server = ProxiedWorkload.Server(address: "fd00:0:0:0::1", port: 1, weight: 1, state: .ready)
    let held = HAProxyServers([
      "a": [HAProxyServers.Slot(number: 1, address: "fd00::1", port: 1, weight: 256, state: .ready)]
    ])
    #expect(HAProxyUpdate([ProxiedWorkload(id: "a", servers: [server])], held: held).commands.isEmpty)
  }

  @Test("whatever stands in a list of servers is read or refused", arguments: 0..<8)
  func bytesFromOutside(number: Int) throws {
    let seed = TestSeed.of(offset: UInt64(number))
    var dice = SeededGenerator(seed)
    let model = Self.started(
      [ProxiedWorkload(id: "a", servers: (0..<3).map { Self.server(&dice, $0) })], slots: 4)
    let good = Array(model.text.utf8)
    for _ in 0..<500 {
      var bytes = good
      for _ in 0..<Int.random(in: 1...4, using: &dice) {
        let at = Int.random(in: 0..<bytes.count, using: &dice)
        switch Int.random(in: 0..<3, using: &dice) {
        case 0: bytes[at] = UInt8.random(in: 0...255, using: &dice)
        case 1: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...40, using: &dice)))
        default: bytes.insert(contentsOf: bytes[at...].prefix(Int.random(in: 1...90, using: &dice)), at: at)
        }
        if bytes.isEmpty { bytes = good }
      }
      guard let servers = HAProxyServers(String(decoding: bytes, as: UTF8.self)) else { continue }
      #expect(servers.backends.values.joined().allSatisfy { $0.number >= 0 }, "seed \(seed)")
      _ = HAProxyUpdate([], held: servers)
    }
    #expect(HAProxyServers("2\n# x\n") == nil && HAProxyServers("") == nil)
  }
}
