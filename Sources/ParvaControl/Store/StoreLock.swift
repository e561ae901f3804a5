import Glibc
import Synchronization

/// Keeps a second controller away from the same store; the kernel gives it up when the process ends, however it ends.
final class StoreLock: Sendable {
  private let descriptor: Mutex<Int32>

  /// - Throws: `store_in_use`, `store_cannot_open`.
  init(path: String) throws(StoreError) {
    let opened = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard opened >= 0 else {
      throw StoreError(.cannotOpen, "The lock file \(path) cannot be opened: \(String(cString: strerror(errno))).")
    }
    while flock(opened, LOCK_EX | LOCK_NB) != 0 {
      let cause = errno
      if cause == EINTR { continue }
      Glibc.close(opened)
      throw cause == EWOULDBLOCK
        ? StoreError(.inUse, "Another process has this store open (it holds \(path)).")
        : StoreError(.cannotOpen, "The lock file \(path) cannot be locked: \(String(cString: strerror(cause))).")
    }
    descriptor = Mutex(opened)
  }

  func release() {
    descriptor.withLock { descriptor in
      if descriptor >= 0 {
        // A child between fork and exec holds the descriptor, too; unlocking lets go for both.
        flock(descriptor, LOCK_UN)
        Glibc.close(descriptor)
      }
      descriptor = -1
    }
  }

  deinit { release() }
}
