import Foundation
import Glibc
import ParvaEngine
import ParvaServing

/// The other end: what a planning process does until its stream ends.
package enum WorkerService {
  /// Answers jobs from standard input on standard output; returns at the end of the stream.
  ///
  /// - Parameter memoryMiB: what the controller allows. It looks ten times a second; what asks for far more at once is
  ///   refused here.
  /// - Throws: for a message that is none: who sends such a thing is not to be answered.
  package static func run(memoryMiB: Int) throws {
    Allocation.returnLargeBlocks()
    closeInherited()
    // What some library prints must not get between the answers.
    let stream = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
    guard stream >= 0, dup2(STDERR_FILENO, STDOUT_FILENO) >= 0 else { throw CocoaError(.fileWriteUnknown) }
    yieldToOthers()
    limitMemory(to: memoryMiB)
    endWithStream()
    let faults = InjectedFaults()
    var capacities = CapacityCache()
    var profiles = ProfileCatalogue()
    var traces: [String: ArrivalRecording] = [:]
    var memory = PlanningMemory()
    while let (kind, body) = try next() {
      var reader = try ByteReader(body)
      switch kind {
      case .profiles: profiles = try PlanningCodec.profiles(from: &reader)
      case .traces: traces = try PlanningCodec.traces(from: &reader)
      case .capacities: capacities = CapacityCache(knowing: try PlanningCodec.capacities(from: &reader))
      case .job:
        let job = try PlanningCodec.job(
          from: &reader, after: memory, profiles: profiles, traces: traces, capacities: capacities)
        memory.workloads = job.input.workloads
        faults.strike(job)
        var writer = ByteWriter()
        var kind = WorkerFrame.Kind.plan
        do throws(PlanningFault) {
          let plan = try PlanningDuty.perform(job)
          PlanningCodec.write(plan, after: job.input.current?.gpus ?? [], to: &writer)
          PlanningCodec.write(capacities.news(), to: &writer)
          memory.gpus = plan.gpus
        } catch {
          kind = .refused
          PlanningCodec.write(error, to: &writer)
        }
        answer(kind, writer.finish(), on: stream)
      case .plan, .refused: throw ByteReader.Malformed(description: "an answer was asked")
      }
    }
  }

  /// A library of the controller's that opens without close-on-exec must not leave a connection open here.
  private static func closeInherited() {
    let open = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    for descriptor in open.compactMap(Int32.init) where descriptor > STDERR_FILENO { close(descriptor) }
  }

  /// Requests go before plans, and when memory runs out the kernel is to take this process and not the controller.
  private static func yieldToOthers() {
    _ = setpriority(__priority_which_t(0), 0, 10)
    let file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC)
    if file >= 0 {
      _ = write(file, "1000", 4)
      close(file)
    }
    // A trap ends this process at once: a core of some GB would hold the next one up.
    var none = rlimit(rlim_cur: 0, rlim_max: 0)
    _ = setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
  }

  /// Twice the allowed memory as a hard limit; not where a sanitizer has taken more than that already.
  private static func limitMemory(to mebibytes: Int) {
    let fields = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ") ?? []
    let (most, data) = (mebibytes << 21, fields.count > 5 ? Int(fields[5]).map { $0 * Int(getpagesize()) } : nil)
    guard let data, data < most else { return }
    var limit = rlimit(rlim_cur: rlim_t(most), rlim_max: rlim_t(most))
    _ = setrlimit(__rlimit_resource_t(RLIMIT_DATA.rawValue), &limit)
  }

  /// Ends the process when the controller is gone, also in the middle of a job, however it went.
  private static func endWithStream() {
    Thread.detachNewThread {
      var polled = pollfd(fd: STDIN_FILENO, events: 0, revents: 0)
      while poll(&polled, 1, -1) <= 0 {}
      _exit(0)
    }
  }

  /// Nil at the end of the stream.
  private static func next() throws -> (WorkerFrame.Kind, [UInt8])? {
    guard let head = try read(WorkerFrame.headBytes) else { return nil }
    guard let (kind, length) = WorkerFrame.parse(head: head) else {
      throw ByteReader.Malformed(description: "its head is none")
    }
    guard let body = try read(length) else { return nil }
    return (kind, body)
  }

  private static func read(_ count: Int) throws -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    var filled = 0
    while filled < count {
      let got = bytes.withUnsafeMutableBytes {
        Glibc.read(STDIN_FILENO, $0.baseAddress.map { $0 + filled }, count - filled)
      }
      if got < 0 && errno == EINTR { continue }
      if got <= 0 { return nil }
      filled += got
    }
    return bytes
  }

  private static func answer(_ kind: WorkerFrame.Kind, _ body: [UInt8], on stream: Int32) {
    for bytes in [WorkerFrame.head(kind, body.count), body] {
      var sent = 0
      while sent < bytes.count {
        let count = bytes.withUnsafeBytes { write(stream, $0.baseAddress.map { $0 + sent }, bytes.count - sent) }
        if count < 0 && errno == EINTR { continue }
        // Nobody is left to answer.
        if count <= 0 { _exit(0) }
        sent += count
      }
    }
  }
}
