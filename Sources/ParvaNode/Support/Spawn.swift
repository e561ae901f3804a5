import CNVML
import Glibc

/// Starting and waiting for other programs.
enum Spawn {
  struct Failure: Error, Sendable {
    var errno: Int32
  }

  /// A pipe that no child inherits.
  static func pipe() throws(Failure) -> (read: Int32, write: Int32) {
    var ends: [Int32] = [0, 0]
    let code = cnvml_pipe(&ends)
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
        cnvml_spawn(path, argv, envp, stdio, workdir, session, &pid)
      } else {
        cnvml_spawn(path, argv, nil, stdio, workdir, session, &pid)
      }
    if code != 0 { throw Failure(errno: code) }
    return pid
  }

  /// Waits for a child's end: exit status, or 128 + signal.
  static func wait(_ pid: pid_t) -> Int32 {
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 {
      if errno != EINTR { return 255 }
    }
    return exitCode(status)
  }

  /// A wait status as a shell shows it.
  static func exitCode(_ status: Int32) -> Int32 {
    status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
  }
}
