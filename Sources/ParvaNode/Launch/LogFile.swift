import Foundation
import Glibc

/// The log of one service: written by the service itself, which outlives the agent, and kept within bounds from outside.
///
/// The folder may be another user's, whose daemon writes there: nothing is followed that leads out of it.
///
/// The file is opened for appending, so it can be copied and cut to nothing while the service writes: its next line
/// lands at the new end. A line written between the copy and the cut is lost.
struct LogFile: Sendable {
  var path: String
  /// Bytes on the disk at which the file is turned over.
  var limit = 10 << 20
  /// Older files beside the current one.
  var kept = 3

  func open() throws(AtomicFile.Failure) -> Int32 {
    let descriptor = try AtomicFile.openRegular(path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o640)
    // What the service gets is to make it wait, as a file does.
    _ = fcntl(descriptor, F_SETFL, O_APPEND)
    return descriptor
  }

  /// Turns the file over when it is too large: `log` is copied to `log.1`, that before to `log.2`, and so on.
  func rotateIfNeeded() {
    var status = stat()
    // By what it takes up: a writer that does not append leaves a hole where the file was cut.
    guard lstat(path, &status) == 0, status.st_nlink == 1, max(Int(status.st_blocks) * 512, 0) > limit else { return }
    guard let source = try? AtomicFile.openRegular(path, O_RDWR) else { return }
    defer { close(source) }
    for number in stride(from: kept - 1, to: 0, by: -1) { rename("\(path).\(number)", "\(path).\(number + 1)") }
    if kept > 0 {
      unlink("\(path).1")
      guard let target = try? AtomicFile.openRegular("\(path).1", O_WRONLY | O_CREAT | O_EXCL, mode: 0o640) else {
        return
      }
      defer { close(target) }
      // No more than the limit is kept of what was written since the last look.
      var offset = max(0, Int(status.st_size) - limit)
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      while true {
        let count = pread(source, &buffer, buffer.count, offset)
        if count < 0 && errno == EINTR { continue }
        if count <= 0 || write(target, buffer, count) != count { break }
        offset += count
      }
    }
    ftruncate(source, 0)
  }
}

/// The folder that holds the logs of all services: files `ID.log` with their elder ones, and folders `ID.d`.
struct LogFolder: Sendable {
  var path: String

  /// Removes what belongs to nobody in `ids`, but for the `newest` owners by the time of their last line.
  func prune(keeping ids: Set<String>, andNewest newest: Int) {
    let files = FileManager.default
    var owners: [String: (names: [String], last: Int)] = [:]
    for name in (try? files.contentsOfDirectory(atPath: path)) ?? [] {
      guard let end = name.range(of: ".log")?.lowerBound ?? name.range(of: ".d", options: .backwards)?.lowerBound else {
        continue
      }
      let id = String(name[..<end])
      if ids.contains(id) { continue }
      var status = stat()
      guard stat("\(path)/\(name)", &status) == 0 else { continue }
      var owner = owners[id] ?? ([], 0)
      owner.names.append(name)
      owner.last = max(owner.last, status.st_mtim.tv_sec)
      owners[id] = owner
    }
    for owner in owners.values.sorted(by: { $0.last > $1.last }).dropFirst(newest) {
      for name in owner.names { try? files.removeItem(atPath: "\(path)/\(name)") }
    }
  }
}
