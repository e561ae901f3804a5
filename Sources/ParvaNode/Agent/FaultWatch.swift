import Foundation
import Logging
import ParvaWire
import Synchronization

/// Collects the errors that the GPUs report, on a thread of its own, for as long as it lives.
final class FaultWatch: Sendable {
  private struct State {
    var documents: [GPUFaultDocument]?
    var isRunning = false
    /// Called after each error; for those who wait for one.
    var listener: (@Sendable (GPUFault) -> Void)?
  }

  /// Kinds of errors kept; a broken GPU reports few kinds and many of each.
  static let kindsKept = 256
  private static let wait = 500

  private let driver: any GPUDriver
  private let logger: Logger
  private let state: SharedState

  /// Lives on with the thread, which must not keep its owner alive.
  private final class SharedState: Sendable {
    let value = Mutex(State())
  }

  init(driver: any GPUDriver, logger: Logger) {
    self.driver = driver
    self.logger = logger
    state = SharedState()
  }

  deinit { state.value.withLock { $0.isRunning = false } }

  /// Nil where the driver tells of no errors.
  var documents: [GPUFaultDocument]? { state.value.withLock { $0.documents } }

  func listen(_ listener: @escaping @Sendable (GPUFault) -> Void) {
    state.value.withLock { $0.listener = listener }
  }

  /// Errors count from when this returns.
  func start() {
    let isFirst = state.value.withLock { state in
      defer { state.isRunning = true }
      return !state.isRunning
    }
    guard isFirst, let feed = try? driver.faults() else { return }
    state.value.withLock { $0.documents = [] }
    let (driver, logger, state) = (driver, logger, state)
    let thread = Thread { Self.run(feed, driver, logger, state) }
    thread.name = "parva-faults"
    thread.start()
  }

  private static func run(_ first: any GPUFaultFeed, _ driver: any GPUDriver, _ logger: Logger, _ state: SharedState) {
    var feed: (any GPUFaultFeed)? = first
    while state.value.withLock({ $0.isRunning }) {
      do throws(DriverError) {
        // After a reset or a lost GPU the old set tells nothing more.
        if feed == nil { feed = try driver.faults() }
        guard let current = feed else { return }
        guard let fault = try current.next(within: wait) else { continue }
        record(fault, in: state)
        logger.error(
          "a GPU reports an error",
          metadata: ["gpu": "\(fault.gpu)", "xid": "\(fault.xid)", "instance": "\(fault.instance ?? -1)"])
        state.value.withLock { $0.listener }?(fault)
      } catch {
        feed = nil
        Thread.sleep(forTimeInterval: 5)
      }
    }
  }

  private static func record(_ fault: GPUFault, in state: SharedState) {
    let now = Date.ISO8601FormatStyle(includingFractionalSeconds: true).format(Date())
    state.value.withLock { state in
      var documents = state.documents ?? []
      let index = documents.firstIndex {
        $0.gpu == fault.gpu && $0.xid == fault.xid && $0.instance == fault.instance
      }
      if let index {
        documents[index].count += 1
        documents[index].last = now
      } else if documents.count < kindsKept {
        documents.append(
          GPUFaultDocument(gpu: fault.gpu, xid: fault.xid, instance: fault.instance, count: 1, last: now))
      }
      state.documents = documents
    }
  }
}
