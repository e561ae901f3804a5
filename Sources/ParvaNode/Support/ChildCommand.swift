import Foundation
import Glibc

/// Runs one command to its end with a deadline and bounded output.
package enum ChildCommand {
  package struct Result: Sendable {
    /// Exit status; 128 + signal for one that a signal ended.
    package var status: Int32
    package var output: String
    package var errors: String
    package var timedOut: Bool
  }

  package enum Failure: Error, Hashable, Sendable {
    /// The executable cannot be started; the errno.
    case notStarted(Int32)

    var errno: Int32 {
      switch self {
      case .notStarted(let code): code
      }
    }
  }

  /// Bytes kept of each stream; the rest is read and dropped.
  static let outputLimit = 4 << 20

  /// Runs `path` (searched in PATH when it has no slash) with `input` on standard input.
  ///
  /// At the deadline the child is killed, whatever it has done with its streams. One that even that does not end, since it
  /// waits in the kernel for a GPU that is lost, is left to a thread of its own. `environment` nil inherits this process's.
  package static func run(
    _ path: String, _ arguments: [String], environment: [String: String]? = nil, input: String = "",
    timeout seconds: Double
  ) throws(Failure) -> Result {
    var open: [Int32] = []
    let pid: pid_t
    do {
      for _ in 0..<3 {
        let ends = try Spawn.pipe()
        open += [ends.read, ends.write]
      }
      pid = try Spawn.start(path, arguments, environment: environment, stdio: [open[0], open[3], open[5]])
    } catch {
      open.forEach { _ = close($0) }
      throw .notStarted(error.errno)
    }
    [open[0], open[3], open[5]].forEach { _ = close($0) }
    let (stdinWrite, outRead, errRead) = (open[1], open[2], open[4])
    feed(input, to: stdinWrite)
    var streams = [Data(), Data()]
    let deadline = ContinuousClock.now + .seconds(seconds)
    var timedOut = drain([outRead, errRead], into: &streams, until: deadline)
    [outRead, errRead].forEach { _ = close($0) }
    var status = timedOut ? nil : Spawn.wait(pid, until: deadline)
    if status == nil {
      timedOut = true
      kill(pid, SIGKILL)
      status = Spawn.wait(pid, until: .now + .seconds(2))
    }
    if status == nil { Thread.detachNewThread { _ = Spawn.wait(pid) } }
    return Result(
      status: status ?? 128 + SIGKILL, output: String(decoding: streams[0], as: UTF8.self),
      errors: String(decoding: streams[1], as: UTF8.self), timedOut: timedOut)
  }

  /// Writes what the pipe takes (64 KiB) and closes: the inputs here are a line or two.
  private static func feed(_ input: String, to descriptor: Int32) {
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    var bytes = Array(input.utf8)[...]
    while !bytes.isEmpty {
      let written = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if written < 0 && errno == EINTR { continue }
      if written <= 0 { break }
      bytes = bytes.dropFirst(written)
    }
    close(descriptor)
  }

  /// Reads both streams to their end; true when the deadline came first.
  private static func drain(_ descriptors: [Int32], into streams: inout [Data], until deadline: ContinuousClock.Instant)
    -> Bool
  {
    var open = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while open.contains(where: { $0.fd >= 0 }) {
      let left = (deadline - .now) / .milliseconds(1)
      if left <= 0 { return true }
      let ready = poll(&open, nfds_t(open.count), Int32(min(left + 1, 60_000)))
      if ready < 0 && errno != EINTR { return true }
      guard ready > 0 else { continue }
      for index in open.indices where open[index].revents != 0 {
        let count = read(open[index].fd, &buffer, buffer.count)
        if count < 0 && errno == EINTR { continue }
        if count <= 0 {
          open[index].fd = -1
        } else if streams[index].count < outputLimit {
          streams[index].append(contentsOf: buffer[..<count])
        }
      }
    }
    return false
  }
}
