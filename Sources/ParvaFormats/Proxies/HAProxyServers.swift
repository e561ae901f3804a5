/// The servers of an HAProxy as `show servers state` lists them (its management guide, section 9.3), version 1 of the form.
package struct HAProxyServers: Hashable, Sendable {
  package struct Slot: Hashable, Sendable {
    package var number: Int
    package var address: String
    /// What the address came from, where that is a name.
    package var name: String?
    package var port: Int
    package var weight: Int
    package var state: ProxiedWorkload.State

    package init(
      number: Int, address: String, name: String? = nil, port: Int, weight: Int, state: ProxiedWorkload.State
    ) {
      self.number = number
      self.address = address
      self.name = name
      self.port = port
      self.weight = weight
      self.state = state
    }
  }

  /// Most bytes that are read of a list; a line of it is about 130.
  package static let bytes = 64 << 20

  /// By workload, each in the order of the slots.
  package private(set) var backends: [String: [Slot]] = [:]

  package init(_ backends: [String: [Slot]]) { self.backends = backends }

  /// Nil where this is no such list. Backends and servers that are not of a file of ours are passed over. O(bytes).
  package init?(_ text: String) {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: true)[...]
    guard lines.popFirst() == "1", let head = lines.popFirst(), head.hasPrefix("# ") else { return nil }
    let names = head.dropFirst(2).split(separator: " ")
    func column(_ name: Substring) -> Int? { names.firstIndex(of: name) }
    guard let backend = column("be_name"), let server = column("srv_name"), let address = column("srv_addr"),
      let admin = column("srv_admin_state"), let weight = column("srv_uweight"), let name = column("srv_fqdn"),
      let port = column("srv_port")
    else { return nil }
    let prefix = HAProxyFile.backend("")
    for line in lines {
      let cells = line.split(separator: " ")
      guard cells.count == names.count, let weight = Int(cells[weight]), let port = Int(cells[port]),
        let admin = Int(cells[admin])
      else { return nil }
      guard cells[backend].hasPrefix(prefix), cells[server].hasPrefix("slot"),
        let number = Int(cells[server].dropFirst(4)), HAProxyFile.slot(number) == cells[server]
      else { continue }
      backends[String(cells[backend].dropFirst(prefix.count)), default: []].append(
        Slot(
          number: number, address: String(cells[address]), name: cells[name] == "-" ? nil : String(cells[name]),
          port: port, weight: weight, state: Self.state(admin)))
    }
    for id in backends.keys { backends[id]?.sort { $0.number < $1.number } }
  }

  /// Maintenance by command, by another server or for want of an address; then drains by command or by another.
  private static func state(_ flags: Int) -> ProxiedWorkload.State {
    flags & 0x23 != 0 ? .down : flags & 0x18 != 0 ? .draining : .ready
  }
}
