import Glibc

/// One planning process and the socket to it. Of one thread, but for ``kill()``.
struct WorkerProcess {
  let pid: pid_t
  /// Our end of the stream that is the process's standard input and output.
  let socket: Int32

  struct NotStarted: Error {
    var errno: Int32
  }

  /// Starts the program with the socket as standard input and output, our standard error, and no signal blocked or
  /// ignored.
  ///
  /// The socket is close-on-exec from its making, as all that this process opens: no other child of ours keeps a dead
  /// process's stream open. ``WorkerService`` closes whatever came through all the same.
  static func start(_ path: String, _ arguments: [String], environment: [String]) throws(NotStarted) -> WorkerProcess {
    var ends: [Int32] = [0, 0]
    let stream = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, stream, 0, &ends) == 0 else { throw NotStarted(errno: errno) }
    defer { close(ends[1]) }
    _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
    var actions = posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    defer {
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
    }
    var none = sigset_t()
    var all = sigset_t()
    sigemptyset(&none)
    sigfillset(&all)
    posix_spawn_file_actions_adddup2(&actions, ends[1], 0)
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    let argv: [UnsafeMutablePointer<CChar>?] = (["parva"] + arguments).map { strdup($0) } + [nil]
    let envp: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) } + [nil]
    defer { (argv + envp).forEach { free($0) } }
    var pid: pid_t = 0
    let code = posix_spawn(&pid, path, &actions, &attributes, argv, envp)
    guard code == 0 else {
      close(ends[0])
      throw NotStarted(errno: code)
    }
    return WorkerProcess(pid: pid, socket: ends[0])
  }

  func kill() { _ = Glibc.kill(pid, SIGKILL) }

  /// Ends it and waits for its end, which comes at once.
  func end() -> WorkerEnd {
    kill()
    return reap()
  }

  /// Waits for an end that is there or near.
  func reap() -> WorkerEnd {
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    close(socket)
    let signal = status & 0x7f
    return signal == 0 ? .status(status >> 8 & 0xff) : .signal(signal)
  }

  /// Whether it has closed its end, which it does by ending.
  var hasHungUp: Bool {
    var polled = pollfd(fd: socket, events: 0, revents: 0)
    return poll(&polled, 1, 0) > 0
  }

  /// MiB of memory that it holds now, by the kernel's count; 0 where that cannot be read.
  var residentMiB: Int {
    let file = open("/proc/\(pid)/statm", O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return 0 }
    defer { close(file) }
    var buffer = [UInt8](repeating: 0, count: 128)
    let count = read(file, &buffer, buffer.count)
    guard count > 0 else { return 0 }
    let fields = String(decoding: buffer[..<count], as: UTF8.self).split(separator: " ")
    let pages = fields.count > 1 ? Int(fields[1]) ?? 0 : 0
    return (pages * Int(getpagesize())) >> 20
  }
}
