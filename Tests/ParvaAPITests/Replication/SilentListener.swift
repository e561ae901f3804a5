import Foundation
import Glibc
import ParvaControlTestSupport
import Synchronization

/// Takes connections and answers nothing, as a process that was stopped does.
final class SilentListener: Sendable {
  private let fd: Int32
  private let taken = Mutex<[Int32]>([])

  /// - Parameter address: `http://IPV4:PORT`, where nobody listens.
  init(at address: String) throws {
    let port = UInt16(URL(string: address)?.port ?? 0)
    fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var one: Int32 = 1
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
    guard LoopbackSocket.bind(fd, to: port), listen(fd, 16) == 0 else { throw Missing("a listener at \(address)") }
  }

  /// Returns once so many connections were taken.
  func untilAsked(_ count: Int) async {
    _ = fcntl(fd, F_SETFL, O_NONBLOCK)
    while taken.withLock({ $0.count }) < count {
      let one = accept(fd, nil, nil)
      if one >= 0 { taken.withLock { $0.append(one) } } else { await Task.yield() }
    }
  }

  func close() {
    for one in taken.withLock(\.self) + [fd] { Glibc.close(one) }
  }
}
