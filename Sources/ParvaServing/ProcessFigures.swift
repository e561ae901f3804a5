import Foundation
import Glibc

/// What this process takes of its machine, under the names that Prometheus' own clients give.
package enum ProcessFigures {
  package static func write(to text: inout MetricsText) {
    let fields = statFields
    let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
    let pages = Double(sysconf(Int32(_SC_PAGESIZE)))
    text.family("process_cpu_seconds_total", "counter", "User and system time of this process.") { family in
      if let fields, ticks > 0 { family.sample([:], (fields.user + fields.system) / ticks) }
    }
    text.family("process_resident_memory_bytes", "gauge", "Memory of this process that is resident.") { family in
      if let fields { family.sample([:], fields.residentPages * pages) }
    }
    text.family("process_start_time_seconds", "gauge", "When this process began, in seconds since 1970.") { family in
      guard let fields, ticks > 0 else { return }
      var now = timespec()
      guard clock_gettime(CLOCK_BOOTTIME, &now) == 0 else { return }
      let age = Double(now.tv_sec) + Double(now.tv_nsec) / 1e9 - fields.start / ticks
      family.sample([:], ((Date().timeIntervalSince1970 - age) * 100).rounded() / 100)
    }
    text.family("process_open_fds", "gauge", "File descriptors that are open.") { family in
      if let open = openDescriptors { family.sample([:], Double(open)) }
    }
    text.family("process_max_fds", "gauge", "File descriptors that may be open.") { family in
      var limit = rlimit()
      if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
        family.sample([:], Double(limit.rlim_cur))
      }
    }
  }

  /// proc(5): clock ticks, pages. Nil where there is no /proc.
  private static var statFields: (user: Double, system: Double, start: Double, residentPages: Double)? {
    guard let data = try? Data(contentsOf: URL(filePath: "/proc/self/stat")) else { return nil }
    // The program's name, the second field, may hold spaces and parentheses.
    let text = String(decoding: data, as: UTF8.self)
    guard let end = text.lastIndex(of: ")") else { return nil }
    let fields = text[text.index(after: end)...].split(separator: " ").map { Double($0) }
    guard fields.count > 21, let user = fields[11], let system = fields[12], let start = fields[19],
      let pages = fields[21]
    else { return nil }
    return (user, system, start, pages)
  }

  private static var openDescriptors: Int? {
    // One of them is the folder that is read.
    (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")).map { $0.count - 1 }
  }
}
