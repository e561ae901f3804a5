import Foundation
import Glibc

/// How a process that plans came to its end in the middle of a job.
package enum WorkerEnd: Hashable, Sendable, CustomStringConvertible {
  case signal(Int32)
  /// It ended by itself, with this status.
  case status(Int32)
  /// It was killed because it held so many MiB.
  case tooMuchMemory(Int)
  /// It was killed after so many seconds.
  case tooLong(Int)
  /// It was killed because its answer is none.
  case garbled(String)
  /// The errno of starting it.
  case notStarted(Int32)

  /// Signals that a process raises by its own fault, the same each time.
  static let traps: Set<Int32> = [SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS]

  /// Stable, for logs, metrics and clients.
  package var code: String {
    switch self {
    case .signal: "worker_crashed"
    case .status: "worker_ended"
    case .tooMuchMemory: "worker_memory"
    case .tooLong: "worker_timeout"
    case .garbled: "worker_garbled"
    case .notStarted: "worker_not_started"
    }
  }

  package static let codes = [
    "worker_crashed", "worker_ended", "worker_memory", "worker_timeout", "worker_garbled", "worker_not_started",
  ]

  package var description: String {
    switch self {
    case .signal(let signal): "the planning process was ended by signal \(signal) (\(Self.name(signal)))"
    case .status(let status): "the planning process ended with status \(status)"
    case .tooMuchMemory(let mebibytes): "the planning process held \(mebibytes) MiB and was killed"
    case .tooLong(let seconds): "the planning process gave no plan in \(seconds) s and was killed"
    case .garbled(let why): "the planning process gave an answer that is none: \(why)"
    case .notStarted(let code): "no planning process can be started: \(String(cString: strerror(code)))"
    }
  }

  private static func name(_ signal: Int32) -> String {
    let names: [Int32: String] = [
      SIGILL: "SIGILL", SIGTRAP: "SIGTRAP", SIGABRT: "SIGABRT", SIGBUS: "SIGBUS", SIGFPE: "SIGFPE",
      SIGSEGV: "SIGSEGV", SIGSYS: "SIGSYS", SIGKILL: "SIGKILL", SIGTERM: "SIGTERM",
    ]
    return names[signal] ?? String(cString: strsignal(signal))
  }
}
