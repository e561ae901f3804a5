import Foundation
import Logging
import ParvaServing
import ParvaWire
import Synchronization

/// Collects the errors that the GPUs report.
final class FaultWatch: Sendable {
  private struct State {
    var feed: (any GPUFaultFeed)?
    /// The driver did not answer when it was asked for a feed.
    var isOwed = false
    var documents: [GPUFaultDocument]?
  }

  /// Kinds of errors kept; a broken GPU reports few kinds and many of each.
  static let kindsKept = 256
  /// Milliseconds of one wait, after which it is seen whether to go on.
  private static let wait = 500

  private let driver: any GPUDriver
  private let clock: any Clock<Duration>
  private let logger: Logger
  private let onFault: @Sendable () -> Void
  private let queue = WorkQueue("parva.node.faults")
  private let state = Mutex(State())

  init(
    driver: any GPUDriver, clock: any Clock<Duration> = ContinuousClock(), logger: Logger,
    onFault: @escaping @Sendable () -> Void
  ) {
    self.driver = driver
    self.clock = clock
    self.logger = logger
    self.onFault = onFault
  }

  /// Nil where the driver tells of no errors.
  var documents: [GPUFaultDocument]? { state.withLock(\.documents) }

  /// Errors count from when this returns, unless the driver cannot say now whether it tells of any: then ``run()`` asks on.
  func start() {
    do throws(DriverError) {
      guard let feed = try driver.faults() else { return }
      state.withLock { $0 = State(feed: feed, documents: []) }
    } catch {
      logger.warning("errors of the GPUs are not watched yet", metadata: ["reason": "\(error)"])
      state.withLock { $0.isOwed = true }
    }
  }

  /// Takes in what comes until the task is cancelled; returns at once where the driver tells of no errors.
  func run() async {
    while !Task.isCancelled, state.withLock({ $0.isOwed && $0.feed == nil }) {
      try? await clock.sleep(for: .seconds(5))
      do throws(DriverError) {
        let feed = try driver.faults()
        state.withLock { $0 = State(feed: feed, documents: feed == nil ? nil : []) }
      } catch {
        continue
      }
    }
    guard var feed = state.withLock(\.feed) else { return }
    while !Task.isCancelled {
      do throws(DriverError) {
        let current = feed
        guard let fault = try await queue.run({ () throws(DriverError) in try current.next(within: Self.wait) }) else {
          continue
        }
        record(fault)
        logger.error(
          "a GPU reports an error",
          metadata: ["gpu": "\(fault.gpu)", "xid": "\(fault.xid)", "instance": "\(fault.instance ?? -1)"])
        onFault()
      } catch {
        // After a reset or a lost GPU the old set tells nothing more.
        try? await clock.sleep(for: .seconds(5))
        if let next = try? driver.faults() { feed = next }
      }
    }
  }

  private func record(_ fault: GPUFault) {
    let now = Date.ISO8601FormatStyle(includingFractionalSeconds: true).format(Date())
    state.withLock { state in
      var documents = state.documents ?? []
      let index = documents.firstIndex {
        $0.gpu == fault.gpu && $0.xid == fault.xid && $0.instance == fault.instance
      }
      if let index {
        documents[index].count += 1
        documents[index].last = now
      } else if documents.count < Self.kindsKept {
        documents.append(
          GPUFaultDocument(gpu: fault.gpu, xid: fault.xid, instance: fault.instance, count: 1, last: now))
      }
      state.documents = documents
    }
  }
}
