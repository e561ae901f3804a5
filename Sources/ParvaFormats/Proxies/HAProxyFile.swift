/// A whole configuration of an HAProxy: one frontend that routes by header and path, and for each workload a backend with
/// slots, some of them free, so that what comes later needs commands on its socket only.
package struct HAProxyFile: Sendable {
  /// Most servers that `balance roundrobin` takes.
  package static let mostSlots = 4_095
  /// Largest weight that HAProxy has.
  static let mostWeight = 256

  package var listenAddress: String
  package var listenPort: Int
  /// Path of the socket that commands come by.
  package var socket: String
  /// Least slots of a backend; it has twice as many as servers where that is more.
  package var slots: Int

  package init(listenAddress: String, listenPort: Int, socket: String, slots: Int) {
    self.listenAddress = listenAddress
    self.listenPort = listenPort
    self.socket = socket
    self.slots = slots
  }

  package static func backend(_ workload: String) -> String { "workload:\(workload)" }

  static func slot(_ number: Int) -> String { "slot\(number)" }

  /// - Returns: nil where a workload has more servers than a backend takes.
  package func text(_ workloads: [ProxiedWorkload], version: String) -> String? {
    var text = head(version)
    for workload in workloads {
      guard workload.servers.count <= Self.mostSlots else { return nil }
      text += backend(workload)
    }
    return text
  }

  private func head(_ version: String) -> String {
    let bind = HostPort.text(listenAddress, listenPort)
    return """
      # Endpoints of version \(version). parva proxy haproxy --watch --socket \(socket) keeps weights, states and addresses
      # as the controller tells them; a workload that is new here needs this file anew.
      global
          stats socket \(socket) mode 600 level admin expose-fd listeners
          stats timeout 1m

      defaults
          mode http
          timeout connect 1s
          timeout client 300s
          timeout server 300s
          timeout queue 300s
          timeout http-request 30s
          timeout http-keep-alive 60s
          # What no server has begun is tried elsewhere; an inference that may have begun is not done twice.
          retries 3
          retry-on conn-failure
          option redispatch 1
          # A server that cannot be reached is left out before its node has said so.
          default-server check inter 1s fastinter 500ms downinter 500ms fall 2 rise 1 observe layer4 error-limit 2 on-error mark-down

      frontend parva
          bind \(bind)
          http-request set-var(txn.workload) req.hdr(x-parva-workload) if { req.hdr(x-parva-workload) -m found }
          http-request deny deny_status 400 if { path_beg /w/ } { path -m reg /\\.\\.?(/|$) }
          http-request set-var(txn.workload) path,field(3,/) if !{ req.hdr(x-parva-workload) -m found } { path_beg /w/ }
          http-request replace-path ^/w/[^/]*/?(.*)$ /\\1 if !{ req.hdr(x-parva-workload) -m found } { path_beg /w/ }
          use_backend \(Self.backend("%[var(txn.workload)]")) if { var(txn.workload) -m found }
          default_backend unknown

      backend unknown
          http-request return status 404 content-type text/plain string "no such workload\\n"

      """
  }

  private func backend(_ workload: ProxiedWorkload) -> String {
    var text = "\nbackend \(Self.backend(workload.id))\n    balance roundrobin\n"
    let weights = Self.weights(workload.servers)
    for (index, server) in workload.servers.enumerated() {
      // Who drains is not asked by a process that begins, either.
      let state = server.state == .ready ? "" : " disabled"
      // A name that cannot be resolved is no reason not to begin.
      text +=
        "    server \(Self.slot(index + 1)) \(server.hostPort) weight \(weights[index]) init-addr last,libc,none\(state)\n"
    }
    let count = min(Self.mostSlots, max(slots, 2 * workload.servers.count))
    if count > workload.servers.count {
      text += "    server-template slot \(workload.servers.count + 1)-\(count) 127.0.0.1:1 disabled\n"
    }
    return text
  }

  /// In proportion to the largest, which has all that HAProxy has.
  static func weights(_ servers: [ProxiedWorkload.Server]) -> [Int] {
    let most = Double(servers.map(\.weight).max() ?? 1)
    return servers.map { max(1, Int((Double($0.weight) / most * Double(mostWeight)).rounded())) }
  }
}
