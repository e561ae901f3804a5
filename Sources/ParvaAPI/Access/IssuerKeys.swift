package import Foundation
package import Logging
import ParvaControl
import ParvaFormats
import ParvaHTTP
import Synchronization

/// The keys of an issuer as they are in force, read again in a rhythm and when a token names one that is not known. Old ones
/// stay while the issuer cannot be asked, for a time.
package final class IssuerKeys: Sendable {
  /// Reads the document of keys.
  package typealias Reading = @Sendable () async throws(IssuerKeySource.Failure) -> Data

  private struct State {
    var ring = KeyRing()
    var refresh: KeyRefresh
    var waiting = 0
    /// Why the last reading failed.
    var fault: String?
  }

  /// What there is to tell of them.
  package struct Figures: Hashable, Sendable {
    package var keys: Int
    package var failures: Int
    /// Seconds since they were read; nil: never.
    package var age: Double?
  }

  /// Most requests that wait for a reading; further ones are answered at once.
  static let mostWaiting = 1_000

  private let read: Reading
  private let wait: Duration
  private let logger: Logger
  private let now: @Sendable () -> Double
  private let state: Mutex<State>
  private let bell = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
  /// How many readings have ended.
  private let readings = WaitingBoard(0)
  /// Is told which keys count from now on.
  private let onChange = Mutex<(@Sendable (KeyRing) -> Void)?>(nil)

  /// - Parameters:
  ///   - wait: longest that a request waits for a reading.
  ///   - now: seconds of a clock that only goes on.
  package init(
    pace: KeyRefresh.Pace, wait: Duration, logger: Logger, now: @escaping @Sendable () -> Double = IssuerKeys.seconds,
    read: @escaping Reading
  ) {
    self.read = read
    self.wait = wait
    self.logger = logger
    self.now = now
    state = Mutex(State(refresh: KeyRefresh(pace, at: now())))
  }

  private static let start = ContinuousClock.now
  package static let seconds: @Sendable () -> Double = { start.duration(to: .now) / .seconds(1) }

  func tell(_ change: @escaping @Sendable (KeyRing) -> Void) { onChange.withLock { $0 = change } }

  /// The keys that may have signed; none that count any more where the issuer has been silent for too long.
  func keys(id: String?, _ algorithm: SignatureAlgorithm) -> KeyRing.Answer {
    let time = now()
    return state.withLock { $0.refresh.isFresh(at: time) ? $0.ring.keys(id: id, algorithm) : .unknown }
  }

  var areFresh: Bool {
    let time = now()
    return state.withLock { $0.refresh.isFresh(at: time) }
  }

  package var figures: Figures {
    let time = now()
    return state.withLock { state in
      Figures(
        keys: state.ring.entries.count, failures: state.refresh.failures, age: state.refresh.readAt.map { time - $0 })
    }
  }

  /// Asks for the keys to be read, since one is missing. What to wait for is answered; nil where there is nothing to wait for.
  func asked() -> (@Sendable () async -> Void)? {
    let time = now()
    guard state.withLock({ $0.refresh.ask(at: time) }) else { return nil }
    let seen = readings.read { $0 }
    bell.continuation.yield()
    return { [self] in
      let mayWait = state.withLock { state in
        state.waiting += 1
        return state.waiting <= Self.mostWaiting
      }
      if mayWait { await readings.wait(for: wait) { count in ((), count > seen) } }
      state.withLock { $0.waiting -= 1 }
    }
  }

  /// Reads them now, whatever was read before.
  package func renew() {
    let time = now()
    state.withLock { $0.refresh.renew(at: time) }
    bell.continuation.yield()
  }

  /// Reads keys until the task is cancelled.
  package func run() async {
    let timer = Mutex<Task<Void, Never>?>(nil)
    defer {
      timer.withLock { $0?.cancel() }
      readings.close()
    }
    bell.continuation.yield()
    for await _ in bell.stream {
      if Task.isCancelled { return }
      await step()
      let pause = max(0, state.withLock(\.refresh.due) - now())
      let next = Task { [bell] in
        guard (try? await Task.sleep(for: .seconds(pause))) != nil else { return }
        bell.continuation.yield()
      }
      timer.withLock { timer in
        timer?.cancel()
        timer = next
      }
    }
  }

  /// Reads them for the first time, before anybody asks; why there are none, where there are none.
  package func begin() async -> String? {
    await step()
    return state.withLock(\.fault)
  }

  /// Reads them if that is due.
  func step() async {
    let time = now()
    guard state.withLock({ $0.refresh.begin(at: time) }) else { return }
    let result: Result<KeyRing, IssuerKeySource.Failure>
    do throws(IssuerKeySource.Failure) {
      result = .success(try Self.ring(try await read(), after: state.withLock(\.ring)))
    } catch {
      result = .failure(error)
    }
    take(result)
    readings.change { $0 += 1 }
  }

  private static func ring(_ data: Data, after older: KeyRing) throws(IssuerKeySource.Failure) -> KeyRing {
    let set: JSONWebKeySet
    do {
      set = try JSONWebKeySet(InputSource(data, format: .json))
    } catch {
      throw IssuerKeySource.Failure("the keys: \(error.first)")
    }
    let ring = KeyRing(set, after: older)
    guard !ring.entries.isEmpty else { throw IssuerKeySource.Failure("there is no key that tokens may be signed with") }
    return ring
  }

  private func take(_ result: Result<KeyRing, IssuerKeySource.Failure>) {
    let time = now()
    let (ring, news) = state.withLock { state -> (KeyRing?, (Logger.Level, Logger.Message, String)?) in
      switch result {
      case .success(let ring):
        let wasGood = state.fault == nil && state.refresh.readAt != nil
        state.refresh.end(true, at: time)
        (state.ring, state.fault) = (ring, nil)
        return (ring, wasGood ? nil : (.info, "the issuer's keys are read", "\(ring.entries.count) keys"))
      case .failure(let failure):
        state.refresh.end(false, at: time)
        let isNews = state.fault != failure.description
        state.fault = failure.description
        let isFresh = state.refresh.isFresh(at: time)
        if !isFresh { state.ring = KeyRing() }
        return (
          isFresh ? nil : KeyRing(),
          isNews
            ? (
              .warning,
              isFresh
                ? "the issuer's keys cannot be read; those that were read before stay"
                : "the issuer's keys cannot be read; its tokens are refused",
              failure.description
            ) : nil
        )
      }
    }
    if let (level, message, cause) = news { logger.log(level: level, message, metadata: ["cause": "\(cause)"]) }
    if let ring { onChange.withLock { $0 }?(ring) }
  }
}
