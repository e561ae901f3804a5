import CSpawn
import Glibc

/// Starting and waiting for other programs.
enum Spawn {
  struct Failure: Error, Sendable {
    var errno: Int32
  }

  /// A pipe that no child inherits.
  static func pipe() throws(Failure) -> (read: Int32, write: Int32) {
    var ends: [Int32] = [0, 0]
    let code = csp_pipe(&ends)
    if code != 0 { throw Failure(errno: code) }
    return (ends[0], ends[1])
  }

  /// Starts `path` with these descriptors as 0, 1 and 2; all others must be close-on-exec. `environment` nil inherits
  /// this process's. With `session` the child leads a session of its own and outlives this process.
  static func start(
    _ path: String, _ arguments: [String], environment: [String: String]?, stdio: [Int32], workdir: String? = nil,
    session: Bool = false
  ) throws(Failure) -> pid_t {
    let argv: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
    let envp: [UnsafeMutablePointer<CChar>?]? = environment.map {
      $0.sorted { $0.key < $1.key }.map { strdup("\($0.key)=\($0.value)") } + [nil]
    }
    defer { (argv + (envp ?? [])).forEach { free($0) } }
    var pid: pid_t = 0
    let code =
      if let envp {
        csp_spawn(path, argv, envp, stdio, workdir, session, &pid)
      } else {
        csp_spawn(path, argv, nil, stdio, workdir, session, &pid)
      }
    if code != 0 { throw Failure(errno: code) }
    return pid
  }

  /// Waits at the gate until ``open(_:)``: a program that runs before its pid is on record would be started twice after
  /// a crash in between. When this process dies first, the gate's end of file ends the child.
  struct Gated: Sendable {
    var pid: pid_t
    fileprivate var gate: Int32

    /// Lets the program begin.
    func open() {
      var byte: UInt8 = 0x0a
      while write(gate, &byte, 1) < 0 && errno == EINTR {}
      close(gate)
    }

    /// Ends the child without the program having begun.
    func abandon() {
      close(gate)
      _ = Spawn.wait(pid)
    }
  }

  /// Starts `command` in a session of its own, held at a gate, with `output` as its standard output and error.
  ///
  /// A command that cannot be run ends with 126 or 127 and says why on `output`. With `user` it runs as that user and the
  /// group of the same number alone, which takes root.
  static func startGated(
    _ command: String, _ arguments: [String], environment: [String: String], output: Int32, workdir: String?,
    user: Int? = nil
  ) throws(Failure) -> Gated {
    let ends = try pipe()
    defer { close(ends.read) }
    do {
      let script = "read -r gate || exit 125; exec \"$@\" </dev/null"
      let change = user.map { ["setpriv", "--reuid=\($0)", "--regid=\($0)", "--clear-groups", "--"] } ?? []
      let pid = try start(
        "/bin/sh", ["-c", script, "parva"] + change + [command] + arguments, environment: environment,
        stdio: [ends.read, output, output], workdir: workdir, session: true)
      return Gated(pid: pid, gate: ends.write)
    } catch {
      close(ends.write)
      throw error
    }
  }

  /// Waits for a child's end: exit status, or 128 + signal.
  static func wait(_ pid: pid_t) -> Int32 {
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 {
      if errno != EINTR { return 255 }
    }
    return exitCode(status)
  }

  /// Waits for a child's end, but no longer than `deadline`: nil where it has not come by then.
  static func wait(_ pid: pid_t, until deadline: ContinuousClock.Instant) -> Int32? {
    let descriptor = csp_pidfd(pid)
    defer { if descriptor >= 0 { close(descriptor) } }
    while true {
      if let status = poll(pid) { return status }
      let left = (deadline - .now) / .milliseconds(1)
      if left <= 0 { return nil }
      // Without one the end is looked for every 10 ms.
      var one = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      _ = Glibc.poll(&one, 1, descriptor >= 0 ? Int32(min(left + 1, 60_000)) : 10)
    }
  }

  /// The end of a child if it has come: exit status, or 128 + signal. Nil for one that runs, or that is no child.
  static func poll(_ pid: pid_t) -> Int32? {
    var status: Int32 = 0
    while true {
      let found = waitpid(pid, &status, WNOHANG)
      if found == pid { return exitCode(status) }
      if found == 0 || errno != EINTR { return nil }
    }
  }

  /// A wait status as a shell shows it.
  static func exitCode(_ status: Int32) -> Int32 {
    status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
  }
}
