import Foundation
import Glibc

/// Small files that a crash leaves as they were or as they should be, never a part.
enum AtomicFile {
  struct Failure: Error, Hashable, Sendable {
    var path: String
    var errno: Int32
    /// What is there instead of a file that was written here; nil where the system itself refuses.
    var instead: String?

    var reason: String { instead.map { "it is \($0), and no file of the node's" } ?? String(cString: strerror(errno)) }
  }

  /// Bytes of the largest file that is read: far more than the largest plan takes.
  static let limit = 64 << 20

  /// Opens what must be a file of this folder. A pipe would make the opener wait and a device has no end; a link may lead to
  /// where root, which acts in the folder of a user with less power, must not write or look.
  static func openRegular(
    _ path: String, _ flags: Int32, mode: mode_t = 0o600, followsLinks: Bool = false
  ) throws(Failure) -> Int32 {
    let fixed = O_NONBLOCK | O_NOCTTY | O_CLOEXEC | (followsLinks ? 0 : O_NOFOLLOW)
    let descriptor = open(path, flags | fixed, mode)
    guard descriptor >= 0 else {
      throw Failure(path: path, errno: errno, instead: kind(path))
    }
    var status = stat()
    let code: Int32 = fstat(descriptor, &status) == 0 ? EINVAL : errno
    if code == EINVAL && status.st_mode & S_IFMT == S_IFREG { return descriptor }
    close(descriptor)
    if status.st_mode & S_IFMT == S_IFDIR { throw Failure(path: path, errno: EISDIR) }
    throw Failure(path: path, errno: code, instead: kind(path))
  }

  /// What is at a path that is neither a file nor a folder; nil for these two and for nothing.
  static func kind(_ path: String) -> String? {
    let code = errno
    defer { errno = code }
    var status = stat()
    guard lstat(path, &status) == 0 else { return nil }
    return switch status.st_mode & S_IFMT {
    case S_IFREG, S_IFDIR: nil
    case S_IFLNK: "a symbolic link"
    case S_IFIFO: "a pipe"
    case S_IFSOCK: "a socket"
    default: "a device"
    }
  }

  /// All of a file; nil where there is none. One that is there and cannot be read is an error, never an empty one: what it
  /// records would be forgotten.
  static func read(_ path: String, followsLinks: Bool = false) throws(Failure) -> Data? {
    let descriptor: Int32
    do throws(Failure) {
      descriptor = try openRegular(path, O_RDONLY, followsLinks: followsLinks)
    } catch {
      if error.errno == ENOENT { return nil }
      throw error
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
      if data.count > limit {
        throw Failure(path: path, errno: EFBIG, instead: "a file of more than \(limit >> 20) MiB")
      }
    }
  }

  /// Replaces the file; it is on the disk when this returns. Readable by its owner alone.
  static func write(_ data: Data, to path: String) throws(Failure) {
    let fresh = path + ".new"
    // What a crash left there, or put there by somebody, is not written into.
    unlink(fresh)
    let descriptor = try openRegular(fresh, O_WRONLY | O_CREAT | O_EXCL)
    giveToOwnerOfFolder(descriptor, path)
    var left = data[...]
    while !left.isEmpty {
      let written = left.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if written < 0 && errno == EINTR { continue }
      if written <= 0 { break }
      left = left.dropFirst(written)
    }
    let whole = left.isEmpty && fsync(descriptor) == 0
    var code = errno
    close(descriptor)
    if whole {
      if rename(fresh, path) == 0 { return syncFolder(of: path) }
      code = errno
    }
    // A part of a file takes room on a disk that may have none.
    unlink(fresh)
    throw Failure(path: whole ? path : fresh, errno: code)
  }

  /// Gives a file that root makes to whom its folder belongs: root may act in the folder of an agent that has less power, and
  /// that agent has to read what was written.
  static func giveToOwnerOfFolder(_ descriptor: Int32, _ path: String) {
    guard geteuid() == 0 else { return }
    var folder = stat()
    guard stat((path as NSString).deletingLastPathComponent, &folder) == 0, folder.st_uid != 0 else { return }
    // Under a second name it may be a file of somebody else.
    var file = stat()
    guard fstat(descriptor, &file) == 0, file.st_mode & S_IFMT == S_IFREG, file.st_nlink == 1 else { return }
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
