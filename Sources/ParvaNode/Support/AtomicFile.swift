import Foundation
import Glibc

/// Small files that a crash leaves as they were or as they should be, never a part.
enum AtomicFile {
  struct Failure: Error, Hashable, Sendable {
    var path: String
    var errno: Int32
  }

  /// All of a file; nil where there is none. One that is there and cannot be read is an error, never an empty one: what it
  /// records would be forgotten.
  static func read(_ path: String) throws(Failure) -> Data? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      if errno == ENOENT { return nil }
      throw Failure(path: path, errno: errno)
    }
    defer { close(descriptor) }
    var data = Data()
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw Failure(path: path, errno: errno) }
      if count == 0 { return data }
      data.append(contentsOf: buffer[..<count])
    }
  }

  /// Replaces the file; it is on the disk when this returns. Readable by its owner alone.
  static func write(_ data: Data, to path: String) throws(Failure) {
    let fresh = path + ".new"
    let descriptor = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw Failure(path: fresh, errno: errno) }
    giveToOwnerOfFolder(descriptor, path)
    var left = data[...]
    while !left.isEmpty {
      let written = left.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if written < 0 && errno == EINTR { continue }
      if written <= 0 { break }
      left = left.dropFirst(written)
    }
    let whole = left.isEmpty && fsync(descriptor) == 0
    let code = errno
    close(descriptor)
    guard whole else { throw Failure(path: fresh, errno: code) }
    guard rename(fresh, path) == 0 else { throw Failure(path: path, errno: errno) }
    syncFolder(of: path)
  }

  /// Gives a file that root makes to whom its folder belongs: root may act in the folder of an agent that has less power, and
  /// that agent has to read what was written.
  static func giveToOwnerOfFolder(_ descriptor: Int32, _ path: String) {
    guard geteuid() == 0 else { return }
    var folder = stat()
    guard stat((path as NSString).deletingLastPathComponent, &folder) == 0, folder.st_uid != 0 else { return }
    _ = fchown(descriptor, folder.st_uid, folder.st_gid)
  }

  /// Puts the names in the folder of `path` on the disk.
  static func syncFolder(of path: String) {
    let folder = open((path as NSString).deletingLastPathComponent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { return }
    fsync(folder)
    close(folder)
  }
}
