import CSpawn
import Glibc

/// Waits for the end of processes or for a ring from another thread, whichever comes first.
final class WakePipe: Sendable {
  private let read: Int32
  private let write: Int32

  init() throws(Spawn.Failure) {
    (read, write) = try Spawn.pipe()
    _ = fcntl(read, F_SETFL, O_NONBLOCK)
    _ = fcntl(write, F_SETFL, O_NONBLOCK)
  }

  deinit {
    close(read)
    close(write)
  }

  /// From any thread; rings that nobody has heard yet are one.
  func ring() {
    var byte: UInt8 = 1
    _ = Glibc.write(write, &byte, 1)
  }

  /// A process that has ended already counts as ending now.
  func wait(for pids: [Int], upTo limit: Duration) {
    let watched = pids.map { csp_pidfd(pid_t($0)) }.filter { $0 >= 0 }
    defer { watched.forEach { _ = close($0) } }
    var polled = ([read] + watched).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    _ = poll(&polled, nfds_t(polled.count), Int32(limit / .milliseconds(1)))
    var buffer = [UInt8](repeating: 0, count: 64)
    while Glibc.read(read, &buffer, buffer.count) > 0 {}
  }
}
