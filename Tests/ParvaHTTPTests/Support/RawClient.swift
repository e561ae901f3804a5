import Foundation

/// A TCP port of 127.0.0.1 that refuses connections and that nobody else can take: bound, and not listened to.
final class SilentPort {
  private let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  let number: UInt16

  init() throws {
    let descriptor = descriptor
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
        bind(descriptor, name, length) == 0 ? getsockname(descriptor, name, &length) : -1
      }
    }
    guard result == 0 else { throw RawClient.Failure(description: "bind: \(String(cString: strerror(errno)))") }
    number = UInt16(bigEndian: address.sin_port)
  }

  deinit { close(descriptor) }
}

/// A blocking TCP or Unix client that sends exactly the bytes it is told, on a thread of its own.
final class RawClient: Sendable {
  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  private let descriptor: Int32
  private let queue = DispatchQueue(label: "raw-client")

  /// - Parameter address: as `HTTPServer.start` returned it.
  init(_ address: String) throws {
    if address.hasPrefix("unix:") {
      descriptor = try Self.connectUnix(String(address.dropFirst(5)))
    } else {
      descriptor = try Self.connectTCP(port: UInt16(address.split(separator: ":").last!)!, v6: address.hasPrefix("["))
    }
    // A server that hangs must fail the test, not stop it.
    var limit = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { close(descriptor) }

  private static func connectTCP(port: UInt16, v6: Bool) throws -> Int32 {
    let descriptor = socket(v6 ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var result: Int32
    if v6 {
      var address = sockaddr_in6()
      address.sin6_family = sa_family_t(AF_INET6)
      address.sin6_port = port.bigEndian
      address.sin6_addr = in6addr_loopback
      result = withBytes(of: &address) { connect(descriptor, $0, $1) }
    } else {
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = port.bigEndian
      address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
      result = withBytes(of: &address) { connect(descriptor, $0, $1) }
    }
    guard result == 0 else { throw Failure(description: "connect: \(String(cString: strerror(errno)))") }
    return descriptor
  }

  private static func connectUnix(_ path: String) throws -> Int32 {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    guard withBytes(of: &address, { connect(descriptor, $0, $1) }) == 0 else {
      throw Failure(description: "connect \(path): \(String(cString: strerror(errno)))")
    }
    return descriptor
  }

  private static func withBytes<Address>(
    of address: inout Address, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) -> Int32 {
    withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<Address>.size)) }
    }
  }

  private func onQueue<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
      queue.async { continuation.resume(with: Result { try work() }) }
    }
  }

  /// Sends all bytes; false when the server has closed meanwhile.
  @discardableResult
  func send(_ bytes: [UInt8]) async throws -> Bool {
    try await onQueue { [descriptor] in
      var at = 0
      while at < bytes.count {
        let sent = bytes.withUnsafeBytes {
          Foundation.send(descriptor, $0.baseAddress! + at, bytes.count - at, Int32(MSG_NOSIGNAL))
        }
        if sent < 0 {
          if errno == EINTR { continue }
          if errno == EPIPE || errno == ECONNRESET { return false }
          throw Failure(description: "send: \(String(cString: strerror(errno)))")
        }
        at += sent
      }
      return true
    }
  }

  @discardableResult
  func send(_ text: String) async throws -> Bool { try await send(Array(text.utf8)) }

  func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// Makes the close a reset (RST) instead of an orderly end.
  func resetOnClose() {
    var option = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
  }

  /// Whatever comes next, at least one byte; empty at the end or after a reset.
  func receive(atMost limit: Int = 65_536) async throws -> [UInt8] {
    try await onQueue { [descriptor] in
      var buffer = [UInt8](repeating: 0, count: limit)
      while true {
        let count = recv(descriptor, &buffer, limit, 0)
        if count >= 0 { return Array(buffer[..<count]) }
        if errno == EINTR { continue }
        if errno == ECONNRESET { return [] }
        throw Failure(description: "recv: \(String(cString: strerror(errno)))")
      }
    }
  }

  func receiveUntilClosed() async throws -> [UInt8] {
    var all: [UInt8] = []
    while true {
      let part = try await receive()
      if part.isEmpty { return all }
      all += part
    }
  }
}
