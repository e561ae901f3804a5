import Foundation
package import ParvaWire

/// Reads where the servers of a segment are that somebody else has started.
package enum ToldEndpointsReader {
  static let bytes = 64 << 10
  /// Most servers of one segment.
  package static let most = 256

  /// - Throws: every refusal found, each with its place.
  package static func read(_ source: InputSource) throws(InputErrors) -> ToldEndpoints {
    let document = try InputDocument(source, limit: bytes)
    let told = try document.decode(ToldEndpoints.self)
    var refusals = Refusals()
    if told.endpoints.count > most {
      refusals.add(
        document.error(.outOfRange, "at most \(most) endpoints, not \(told.endpoints.count)", at: ["endpoints"]))
    }
    var seen: Set<ToldEndpoints.Server> = []
    for (index, server) in told.endpoints.prefix(most).enumerated() {
      if !isHost(server.address) {
        refusals.add(
          document.error(
            .invalidName, "an address is \(hostRule)", at: ["endpoints", String(index), "address"],
            value: server.address))
      }
      if !(1...65_535).contains(server.port) {
        refusals.add(
          document.error(
            .outOfRange, "a port is 1 to 65535", at: ["endpoints", String(index), "port"],
            value: String(server.port)))
      }
      if !seen.insert(server).inserted {
        refusals.add(document.error(.duplicate, "the same server is said twice", at: ["endpoints", String(index)]))
      }
    }
    try refusals.check()
    return told
  }

  package static let hostRule = "an IP address without brackets, or a host name of at most 253 characters"

  package static func isHost(_ text: String) -> Bool { isIPAddress(text) || isHostName(text) }

  /// What Envoy takes without asking a name server.
  package static func isIPAddress(_ text: String) -> Bool {
    var (four, six) = (in_addr(), in6_addr())
    return inet_pton(AF_INET, text, &four) == 1 || inet_pton(AF_INET6, text, &six) == 1
  }

  private static func isHostName(_ text: String) -> Bool {
    let labels = text.utf8.split(separator: 0x2e, omittingEmptySubsequences: false)
    guard (1...253).contains(text.utf8.count) else { return false }
    return labels.allSatisfy { label in
      (1...63).contains(label.count) && label.first != 0x2d && label.last != 0x2d
        && label.allSatisfy {
          (0x30...0x39).contains($0) || (0x61...0x7a).contains($0 | 0x20) || $0 == 0x2d || $0 == 0x5f
        }
    }
  }
}
