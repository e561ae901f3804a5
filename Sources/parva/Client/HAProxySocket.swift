import ArgumentParser
import Foundation
import ParvaFormats
import ParvaServing

/// The socket on which an HAProxy takes commands (its management guide, section 9.3): one line a connection.
struct HAProxySocket: Sendable {
  /// HAProxy reads a line into one buffer, of 16 KiB by default.
  private static let lineBytes = 8_000
  /// Seconds until a HAProxy that says nothing is given up.
  private static let patience = 10

  let path: String
  private let queue = WorkQueue("parva.haproxy")

  init(path: String) { self.path = path }

  static func check(_ path: String) throws(ValidationError) {
    let most = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1
    guard (1...most).contains(path.utf8.count), path.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
      throw ValidationError("--socket must be a path of at most \(most) printable characters without spaces.")
    }
  }

  /// What it holds.
  func servers() async throws -> HAProxyServers {
    let text = try await ask("show servers state")
    guard let servers = HAProxyServers(text) else {
      throw CommandFailure(.unexpected, "\(path) answers '\(text.prefix(200))', and no list of servers")
    }
    return servers
  }

  /// Sends commands, as many as fit on a line at a time; returns what it says to them.
  func send(_ commands: [String]) async throws -> String {
    var answers: [String] = []
    var line = ""
    for command in commands {
      if !line.isEmpty, line.utf8.count + command.utf8.count > Self.lineBytes {
        answers.append(try await ask(line))
        line = ""
      }
      line += (line.isEmpty ? "" : ";") + command
    }
    if !line.isEmpty { answers.append(try await ask(line)) }
    return answers.joined(separator: "\n").split(whereSeparator: \.isNewline).prefix(5).joined(separator: "; ")
  }

  private func ask(_ line: String) async throws(CommandFailure) -> String {
    let path = path
    return try await queue.run { () throws(CommandFailure) in try Self.exchange(line, path) }
  }

  private static func exchange(_ line: String, _ path: String) throws(CommandFailure) -> String {
    let socket = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard socket >= 0 else { throw failure(path) }
    defer { close(socket) }
    var wait = timeval(tv_sec: patience, tv_usec: 0)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
      setsockopt(socket, SOL_SOCKET, option, &wait, socklen_t(MemoryLayout<timeval>.size))
    }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let joined = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard joined == 0 else { throw failure(path) }
    var left = Array((line + "\n").utf8)[...]
    while !left.isEmpty {
      let sent = left.withUnsafeBytes { Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      if sent < 0, errno == EINTR { continue }
      guard sent > 0 else { throw failure(path) }
      left = left.dropFirst(sent)
    }
    var answer: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = recv(socket, &buffer, buffer.count, 0)
      if count == 0 { return String(decoding: answer, as: UTF8.self) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw failure(path) }
      answer += buffer[..<count]
      guard answer.count <= HAProxyServers.bytes else {
        throw CommandFailure(.unexpected, "\(path) answers more than \(HAProxyServers.bytes >> 20) MiB")
      }
    }
  }

  private static func failure(_ path: String) -> CommandFailure {
    CommandFailure(.unexpected, "HAProxy's socket \(path): \(String(cString: strerror(errno)))")
  }
}
