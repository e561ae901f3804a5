import Glibc
import ParvaEngine
import ParvaServing

/// One message to a planning process and its answer, within limits of time and memory.
struct WorkerExchange {
  enum Failure: Error {
    /// The stream ended: so has the process.
    case hungUp
    /// It broke a limit or answers nonsense, and is to be killed.
    case broke(WorkerEnd)
    case refused(PlanningFault)
  }

  /// How often the memory is looked at.
  private static let interval = Duration.milliseconds(100)

  private let process: WorkerProcess
  private let memoryMiB: Int
  private let seconds: Double

  init(_ process: WorkerProcess, memoryMiB: Int, seconds: Double) {
    self.process = process
    self.memoryMiB = memoryMiB
    self.seconds = seconds
  }

  /// Blocks until the answer is there.
  func run(_ message: [UInt8]) throws(Failure) -> (kind: WorkerFrame.Kind, body: [UInt8]) {
    let deadline = ContinuousClock.now + .seconds(seconds)
    var sent = 0
    var head: [UInt8] = []
    var answer: (kind: WorkerFrame.Kind, length: Int)?
    var body: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 18)
    var looksNext = ContinuousClock.now + Self.interval
    while true {
      let events = sent < message.count ? Int16(POLLIN | POLLOUT) : Int16(POLLIN)
      var polled = pollfd(fd: process.socket, events: events, revents: 0)
      _ = poll(&polled, 1, Int32(Self.interval / .milliseconds(1)))
      let now = ContinuousClock.now
      if now >= looksNext {
        looksNext = now + Self.interval
        let resident = process.residentMiB
        if resident > memoryMiB { throw .broke(.tooMuchMemory(resident)) }
        if now >= deadline { throw .broke(.tooLong(Int(seconds))) }
      }
      if polled.revents & Int16(POLLOUT) != 0 { sent += try write(message[sent...]) }
      guard polled.revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 else { continue }
      guard let count = try read(into: &buffer) else { continue }
      var new = buffer[..<count]
      if answer == nil {
        let missing = WorkerFrame.headBytes - head.count
        head += new.prefix(missing)
        new = new.dropFirst(missing)
        guard head.count == WorkerFrame.headBytes else { continue }
        guard let parsed = WorkerFrame.parse(head: head) else { throw .broke(.garbled("its head is none")) }
        answer = parsed
      }
      body += new
      guard let answer, body.count >= answer.length else { continue }
      guard body.count == answer.length, sent == message.count else {
        throw .broke(.garbled("it says more than was asked"))
      }
      return (answer.kind, body)
    }
  }

  private func write(_ bytes: ArraySlice<UInt8>) throws(Failure) -> Int {
    let count = bytes.withUnsafeBytes { send(process.socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    if count >= 0 { return count }
    if errno == EAGAIN || errno == EINTR { return 0 }
    throw .hungUp
  }

  /// Nil where nothing is there yet.
  private func read(into buffer: inout [UInt8]) throws(Failure) -> Int? {
    let count = Glibc.read(process.socket, &buffer, buffer.count)
    if count > 0 { return count }
    if count < 0 && (errno == EAGAIN || errno == EINTR) { return nil }
    throw .hungUp
  }
}
