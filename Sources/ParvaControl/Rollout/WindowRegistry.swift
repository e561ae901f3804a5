package import Foundation
package import ParvaFormats
import ParvaHTTP
import Synchronization

/// The windows in which plans may, or may not, be brought to nodes by themselves, in memory, and the one way to change them.
/// What was answered with success is on disk.
package final class WindowRegistry: Sendable {
  package enum Refusal: Error, Hashable, Sendable {
    case notFound
    /// So many there are already.
    case tooMany(limit: Int)
    case storeFailed(StoreError)
  }

  /// Most windows at a time.
  package static let most = 100

  private let store: any Store
  private let now: @Sendable () -> Date
  private let state: Mutex<[String: RolloutWindow]>
  /// Changes go one after the other: each waits for the store in its middle.
  private let gate = RequestLimit(1)

  package init(windows: [RolloutWindow], store: any Store, now: @escaping @Sendable () -> Date) {
    self.store = store
    self.now = now
    state = Mutex(Dictionary(windows.map { ($0.name, $0) }, uniquingKeysWith: { $1 }))
  }

  /// In order of name.
  package var windows: [RolloutWindow] { state.withLock { $0.values.sorted { $0.name < $1.name } } }

  package func window(_ name: String) -> RolloutWindow? { state.withLock { $0[name] } }

  private var second: Int { Int(now().timeIntervalSince1970.rounded(.down)) }

  /// Whether its times are now.
  package func isNow(_ window: RolloutWindow) -> Bool { window.contains(second) }

  package var verdict: RolloutVerdict {
    let (time, windows) = (second, state.withLock { Array($0.values) })
    return windows.verdict(at: time)
  }

  /// When the verdict is another; nil where it stays for more than a year.
  package var until: Date? {
    let (time, windows) = (second, state.withLock { Array($0.values) })
    return windows.nextVerdict(after: time).map { Date(timeIntervalSince1970: TimeInterval($0)) }
  }

  /// Sets one; whether it is new.
  package func set(_ window: RolloutWindow) async throws(Refusal) -> Bool {
    try await gate.run { () async throws(Refusal) in
      let before = self.window(window.name)
      guard before != nil || self.state.withLock({ $0.count }) < Self.most else { throw .tooMany(limit: Self.most) }
      try await self.commit(window.name, window, before == nil ? 201 : 200, before: before)
      self.state.withLock { $0[window.name] = window }
      return before == nil
    }
  }

  package func remove(_ name: String) async throws(Refusal) {
    try await gate.run { () async throws(Refusal) in
      guard let before = self.window(name) else { throw .notFound }
      try await self.commit(name, nil, 204, before: before)
      self.state.withLock { _ = $0.removeValue(forKey: name) }
    }
  }

  /// Returns once what was on its way to the store is in memory, or is not stored.
  func settle() async { await gate.run {} }

  /// Takes over what another controller has stored.
  func follow(_ batch: StoreBatch) {
    guard !batch.windows.isEmpty else { return }
    state.withLock { state in for (name, window) in batch.windows { state[name] = window } }
  }

  private func commit(
    _ name: String, _ window: RolloutWindow?, _ status: Int, before: RolloutWindow?
  ) async throws(Refusal) {
    var batch = StoreBatch()
    batch.windows[name] = .some(window)
    do throws(StoreError) {
      try await store.commit(batch, for: AuditDraft.open) {
        $0.change(status, "windows/\(name)", before: before.map(Self.tag), after: window.map(Self.tag))
      }
    } catch {
      throw .storeFailed(error)
    }
  }

  private static func tag(_ window: RolloutWindow) -> String {
    EntityTag.forRecords(0, WindowCodec.data(window))
  }
}
