/// Where a server may listen without credentials.
enum ListenAddress {
  /// Whether only this machine can reach the address.
  static func isLocal(_ address: String) -> Bool {
    if address.hasPrefix("unix:") { return true }
    guard let colon = address.lastIndex(of: ":") else { return false }
    let host = address[..<colon]
    if ["localhost", "[::1]"].contains(host) { return true }
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
  }
}
