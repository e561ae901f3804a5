import ArgumentParser
import ParvaHTTP

/// Where a server may listen.
enum ListenAddress {
  /// - Throws: for an address with a port that is none; whether the host can be listened on, only the system knows.
  static func check(_ addresses: [String]) throws(ValidationError) {
    for address in addresses where !address.hasPrefix("unix:") && address != "systemd" {
      let port = address.lastIndex(of: ":").map { address[address.index(after: $0)...] } ?? ""
      guard !port.isEmpty, port.utf8.allSatisfy({ (0x30...0x39).contains($0) }), UInt16(port) != nil else {
        throw ValidationError("--listen '\(address)' must end with a colon and a port of 0 to 65535.")
      }
    }
  }

  /// Whether only this machine can reach the address.
  static func isLocal(_ address: String) -> Bool {
    if address.hasPrefix("unix:") { return true }
    guard let colon = address.lastIndex(of: ":") else { return false }
    return NetworkAddress.isLoopback(host: address[..<colon])
  }
}
