import Foundation
import Synchronization

/// A bar on standard error that shows how far a long run is; silent where that is no terminal, and for runs so short
/// that nobody waits.
final class ProgressBar: Sendable {
  private struct State {
    var done = 0
    var drawn: ContinuousClock.Instant?
  }

  private static let width = 30
  private static let patience = Duration.milliseconds(500)
  private static let interval = Duration.milliseconds(100)

  private let total: Double
  private let isShown: Bool
  private let began = ContinuousClock.now
  private let state = Mutex(State())

  /// - Parameter total: how much work there is, about.
  init(total: Double) {
    self.total = max(1, total)
    isShown = isatty(STDERR_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
  }

  /// May be called from any thread.
  func advance(by work: Int) {
    guard isShown else { return }
    let text = state.withLock { state -> String? in
      state.done += work
      let now = ContinuousClock.now
      guard now - began > Self.patience, state.drawn.map({ now - $0 > Self.interval }) ?? true else { return nil }
      state.drawn = now
      return line(share: min(1, Double(state.done) / total), after: (now - began) / .seconds(1))
    }
    if let text { Self.write("\r" + text) }
  }

  /// Takes the bar away.
  func finish() {
    if state.withLock({ $0.drawn != nil }) { Self.write("\r\u{1b}[K") }
  }

  private func line(share: Double, after seconds: Double) -> String {
    let filled = Int(share * Double(Self.width))
    let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: Self.width - filled)
    let left = share > 0.01 ? ", \(Int((seconds / share - seconds).rounded(.up))) s left" : ""
    return "[\(bar)] \(Int(share * 100)) %\(left)\u{1b}[K"
  }

  private static func write(_ text: String) { try? FileHandle.standardError.write(contentsOf: Data(text.utf8)) }
}
