package import Foundation
import Glibc

/// Sees to it that one process at a time changes a node: the agent, or a local verb.
package struct NodeLock: Sendable {
  package enum Failure: Error, Sendable, CustomStringConvertible {
    case held(String)
    case unwritable(String, reason: String)

    package var description: String {
      switch self {
      case .held(let path):
        "another process changes this node now (it holds \(path)); if it is the agent, send the plan to it"
      case .unwritable(let path, let reason): "\(path) cannot be written: \(reason)"
      }
    }
  }

  private let descriptor: Int32

  /// Takes the lock or says that it is held; the kernel gives it back when the process ends, however it ends.
  package static func take(in directory: URL) throws(Failure) -> NodeLock {
    let path = directory.appendingPathComponent("lock").path
    let descriptor: Int32
    do throws(AtomicFile.Failure) {
      descriptor = try AtomicFile.openRegular(path, O_RDWR | O_CREAT)
    } catch {
      throw .unwritable(path, reason: error.reason)
    }
    AtomicFile.giveToOwnerOfFolder(descriptor, path)
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      throw .held(path)
    }
    return NodeLock(descriptor: descriptor)
  }

  package func release() { close(descriptor) }
}
