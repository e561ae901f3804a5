import Foundation
import Glibc

/// A process and when it began, which together name it for as long as the machine is up: a pid alone comes back.
struct ProcessIdentity: Codable, Hashable, Sendable {
  var pid: Int
  /// Clock ticks since boot, field 22 of /proc/PID/stat (proc(5)).
  var startTicks: UInt64

  /// The process that has this pid now; nil for none, and for one that has ended and waits for its parent.
  static func current(_ pid: Int) -> ProcessIdentity? {
    ProcessTable.entry(pid).flatMap { $0.isOver ? nil : $0.identity }
  }

  var isAlive: Bool { Self.current(pid) == self }
}

/// What /proc shows of the processes of this machine.
enum ProcessTable {
  struct Entry: Sendable {
    var identity: ProcessIdentity
    var session: Int
    /// Ended, with or without a parent that has noticed.
    var isOver: Bool
  }

  static func entry(_ pid: Int, proc: String = "/proc") -> Entry? {
    guard let data = try? Data(contentsOf: URL(fileURLWithPath: "\(proc)/\(pid)/stat")) else { return nil }
    let text = String(decoding: data, as: UTF8.self)
    // The name in parentheses may hold anything; what follows the last one is numbers.
    guard let close = text.lastIndex(of: ")") else { return nil }
    let fields = text[text.index(after: close)...].split(separator: " ")
    // Fields 3 (state), 6 (session) and 22 (start).
    guard fields.count > 19, let session = Int(fields[3]), let start = UInt64(fields[19]) else { return nil }
    return Entry(
      identity: ProcessIdentity(pid: pid, startTicks: start), session: session,
      isOver: fields[0] == "Z" || fields[0] == "X")
  }

  /// Running processes in the session of `leader` that began no earlier, and those with `variable` in the environment
  /// that they were started with.
  ///
  /// The session finds what has changed its environment, the variable what has left its session. Where the leader is dead
  /// and its pid is another process's, that one may lead a session of the same number: then only the variable tells.
  /// O(processes).
  static func members(
    of leader: ProcessIdentity, variable: String, proc: String = "/proc"
  ) -> Set<ProcessIdentity> {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: proc)) ?? []
    let mark = Data("\(variable)\0".utf8)
    let isTaken = entry(leader.pid, proc: proc).map { $0.identity != leader } ?? false
    var found: Set<ProcessIdentity> = []
    for pid in names.compactMap({ Int($0) }) where pid != getpid() {
      guard let entry = entry(pid, proc: proc), !entry.isOver, entry.identity.startTicks >= leader.startTicks else {
        continue
      }
      if (entry.session == leader.pid && !isTaken) || carries(pid, mark, proc: proc) { found.insert(entry.identity) }
    }
    return found
  }

  private static func carries(_ pid: Int, _ mark: Data, proc: String) -> Bool {
    guard let environment = try? Data(contentsOf: URL(fileURLWithPath: "\(proc)/\(pid)/environ")),
      let range = environment.range(of: mark)
    else { return false }
    return range.lowerBound == environment.startIndex || environment[range.lowerBound - 1] == 0
  }
}
