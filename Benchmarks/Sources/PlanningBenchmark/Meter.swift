import Foundation

/// Wall and CPU time of a piece of work.
struct Meter {
  var wall = 0.0
  var cpu = 0.0

  /// Runs `body` and adds up what it takes, in seconds; CPU time is that of all threads.
  mutating func measure<Result>(_ body: () throws -> Result) rethrows -> Result {
    let clock = ContinuousClock()
    let (start, used) = (clock.now, Meter.processorSeconds)
    defer {
      wall += (clock.now - start) / .seconds(1)
      cpu += Meter.processorSeconds - used
    }
    return try body()
  }

  private static var processorSeconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  /// Most memory that the process has held so far, in MiB; nil where the system does not tell.
  static var peakMemoryMiB: Double? {
    guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
      let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
      let kibibytes = line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Double($0) })
    else { return nil }
    return kibibytes / 1024
  }
}
