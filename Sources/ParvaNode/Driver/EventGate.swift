import Foundation

/// Sees to it that nobody waits for events, and that no set of events is left, while the library is shut down or a mode
/// changes: both end every set, and an open one keeps a GPU from being reset.
///
/// `@unchecked Sendable`: all of it is guarded by the condition.
final class EventGate: @unchecked Sendable {
  private let condition = NSCondition()
  private var waiting = 0
  private var isClosed = false
  private var life = 0
  private var sets: [UnsafeMutableRawPointer] = []

  /// Begins a wait, which lasts until ``leave()``; answers the life that the library is in. Blocks while it is closed.
  func enter() -> Int {
    condition.lock()
    defer { condition.unlock() }
    while isClosed { condition.wait() }
    waiting += 1
    return life
  }

  func leave() {
    condition.lock()
    waiting -= 1
    condition.broadcast()
    condition.unlock()
  }

  /// A set of this life; called between ``enter()`` and ``leave()``.
  func keep(_ set: UnsafeMutableRawPointer) {
    condition.lock()
    sets.append(set)
    condition.unlock()
  }

  /// Frees a set unless its life is over, when it is free already.
  func drop(_ set: UnsafeMutableRawPointer, of life: Int, with free: (UnsafeMutableRawPointer) -> Void) {
    condition.lock()
    defer { condition.unlock() }
    guard life == self.life, let index = sets.firstIndex(of: set) else { return }
    sets.remove(at: index)
    free(set)
  }

  /// Runs `body` with nobody waiting and no set left; what comes after is another life.
  func closed<Value, Failure>(
    freeing free: (UnsafeMutableRawPointer) -> Void, _ body: () throws(Failure) -> Value
  ) throws(Failure) -> Value {
    condition.lock()
    while isClosed { condition.wait() }
    isClosed = true
    while waiting > 0 { condition.wait() }
    sets.forEach(free)
    sets = []
    life += 1
    condition.unlock()
    defer {
      condition.lock()
      isClosed = false
      condition.broadcast()
      condition.unlock()
    }
    return try body()
  }
}
