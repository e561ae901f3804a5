import Foundation
import ParvaWire
import Testing

@testable import ParvaFormats

/// Endpoints as the files of other proxies.
@Suite struct ProxyFilesTests {
  private static let list = EndpointList(
    version: "00ff",
    endpoints: [
      ("a", "ready", "10.0.0.1", 8_000, 300), ("a", "draining", "10.0.0.1", 8_001, 150),
      // A place that is taken anew: the old server's port is the new one's.
      ("a", "gone", "10.0.0.1", 8_000, 7), ("b", "gone", "::1", 8_002, 7), ("b", "starting", "::1", nil, 7),
    ].enumerated().map { ordinal, row in
      EndpointDocument(
        workload: row.0, segment: "\(row.0)/0", node: "n", zone: nil, gpu: "GPU-1", profileId: 19, start: 0,
        uuid: "MIG-1", ordinal: ordinal, address: row.2, port: row.3, weight: row.4, state: row.1, reported: nil,
        reason: nil, since: "2026-01-01T00:00:00.000Z")
    })

  @Test func haproxyHasABackendWithFreeSlotsForEachWorkload() throws {
    let file = HAProxyFile(listenAddress: "::", listenPort: 81, socket: "/s", slots: 3)
    let text = try #require(file.text(ProxiedWorkload.all(Self.list, ids: ["a", "c"]), version: "00ff"))
    #expect(text.contains("bind [::]:81\n") && text.contains("stats socket /s mode 600 level admin"))
    let start = try #require(text.range(of: "\nbackend workload:a"))
    #expect(
      text[start.lowerBound...] == """

        backend workload:a
            balance roundrobin
            server slot1 10.0.0.1:8000 weight 256 init-addr last,libc,none
            server slot2 10.0.0.1:8001 weight 128 init-addr last,libc,none disabled
            server-template slot 3-4 127.0.0.1:1 disabled

        backend workload:b
            balance roundrobin
            server slot1 [::1]:8002 weight 256 init-addr last,libc,none disabled
            server-template slot 2-3 127.0.0.1:1 disabled

        backend workload:c
            balance roundrobin
            server-template slot 1-3 127.0.0.1:1 disabled

        """)
  }

  @Test func moreServersThanABackendTakesAreNoFile() {
    let servers = (0...HAProxyFile.mostSlots).map {
      ProxiedWorkload.Server(address: "10.0.0.1", port: 1 + $0, weight: 1, state: .ready)
    }
    let file = HAProxyFile(listenAddress: "::", listenPort: 81, socket: "/s", slots: 3)
    #expect(file.text([ProxiedWorkload(id: "a", servers: servers)], version: "1") == nil)
    #expect(file.text([ProxiedWorkload(id: "a", servers: servers.dropLast())], version: "1") != nil)
  }

  @Test func nginxGetsThoseThatAreReady() {
    let text = NginxFile.text(ProxiedWorkload.all(Self.list), version: "00ff")
    #expect(
      text.hasSuffix(
        """
        map $http_x_parva_workload $parva_upstream {
            default "";
            a parva_a;
            b parva_b;
        }

        upstream parva_a {
            server 10.0.0.1:8000 weight=300 max_fails=2 fail_timeout=2s;
        }

        upstream parva_b {
            server 127.0.0.1:1 down;
        }

        """))
  }

  /// What could mean something else in a file or a command.
  @Test(arguments: [
    #""workload":"a b""#, #""workload":"a;b""#, #""workload":"""#, #""address":"10.0.0.1 weight 1""#,
    #""address":"x\ny""#, #""address":"a{b""#, #""port":0"#, #""port":65536"#, #""weight":0"#, #""weight":4294967296"#,
    #""state":"up""#,
  ])
  func whatCouldMeanSomethingElseIsRefused(member: String) throws {
    func read(_ change: String) throws(InputErrors) -> EndpointList {
      var members = [
        "workload": #""a""#, "node": #""n""#, "gpu": #""g""#, "profileId": "1", "start": "0", "ordinal": "0",
        "address": #""10.0.0.1""#, "port": "1", "weight": "1", "state": #""ready""#, "since": "\"\"",
      ]
      if let colon = change.firstIndex(of: ":") {
        members[String(change[..<colon].filter { $0 != "\"" })] = String(change[change.index(after: colon)...])
      }
      let object = members.map { "\"\($0)\":\($1)" }.sorted().joined(separator: ",")
      return try EndpointListReader.read(
        InputSource(Data(#"{"version":"00","endpoints":[{\#(object)}]}"#.utf8), format: .json))
    }
    #expect(throws: InputErrors.self) { try read(member) }
    #expect(try read("").endpoints.count == 1)
  }
}
