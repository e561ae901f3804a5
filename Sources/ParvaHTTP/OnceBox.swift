import Synchronization

/// Hands a value over to the first who asks.
final class OnceBox<Value: Sendable>: Sendable {
  private let value: Mutex<Value?>

  init(_ value: Value?) { self.value = Mutex(value) }

  func take() -> Value? {
    value.withLock { stored in
      defer { stored = nil }
      return stored
    }
  }
}
