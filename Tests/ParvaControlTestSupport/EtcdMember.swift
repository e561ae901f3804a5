import Foundation
import Glibc

/// One member of etcd as a process of the tests, which ends with them.
package final class EtcdMember: Sendable {
  /// The one that all tests of this process share, below prefixes of their own; nil where no etcd is on the PATH.
  package static let shared: EtcdMember? = isThere ? try? EtcdMember() : nil

  private static var isThere: Bool {
    (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").contains {
      access("\($0)/etcd", X_OK) == 0
    }
  }

  /// `host:port` for clients.
  package let endpoint: String
  private let folder: TemporaryFolder
  /// While it is open, the member runs.
  private let life = Pipe()

  private init() throws {
    folder = try TemporaryFolder()
    let (client, peer) = (try Self.freePort(), try Self.freePort())
    endpoint = "127.0.0.1:\(client)"
    let process = Process()
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments = [
      "-c", #"etcd "$@" & member=$!; cat >/dev/null; kill -9 $member"#, "etcd", "--data-dir", folder.file("data"),
      "--log-level", "error", "--listen-client-urls", "http://\(endpoint)", "--advertise-client-urls",
      "http://\(endpoint)", "--listen-peer-urls", "http://127.0.0.1:\(peer)", "--initial-advertise-peer-urls",
      "http://127.0.0.1:\(peer)", "--initial-cluster", "default=http://127.0.0.1:\(peer)",
    ]
    process.standardInput = life
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
  }

  /// One that nobody listens on, of those that the kernel gives to no connection.
  private static func freePort() throws -> UInt16 {
    for _ in 0..<100 {
      let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      defer { close(fd) }
      let port = UInt16.random(in: 10_000..<20_000)
      if LoopbackSocket.bind(fd, to: port) { return port }
    }
    throw POSIXError(.EADDRINUSE)
  }
}
