import Synchronization

/// A value that changes, and those who wait until it is what they ask for.
package final class WaitingBoard<Value: Sendable>: Sendable {
  private struct Waiter {
    /// What resumes the waiter, once the value answers the question or `isLast` says that there will be no other.
    let answer: @Sendable (_ value: Value, _ isLast: Bool) -> (@Sendable () -> Void)?
    let timer: Task<Void, Never>
  }

  private struct State {
    var value: Value
    var waiters: [Int: Waiter] = [:]
    var nextTicket = 0
    var isClosed = false

    /// Takes out the waiters that are answered. O(waiters).
    mutating func answered(_ isLast: Bool = false) -> [@Sendable () -> Void] {
      var resumptions: [@Sendable () -> Void] = []
      for (ticket, waiter) in waiters {
        guard let resume = waiter.answer(value, isLast) else { continue }
        waiter.timer.cancel()
        waiters[ticket] = nil
        resumptions.append(resume)
      }
      return resumptions
    }
  }

  private let state: Mutex<State>

  package init(_ value: Value) { state = Mutex(State(value: value)) }

  /// Whether nobody is to wait any more.
  var isClosed: Bool { state.withLock(\.isClosed) }

  /// Looks at the value without copying it; `body` must be quick.
  package func read<Answer: Sendable>(_ body: (borrowing Value) -> Answer) -> Answer {
    state.withLock { body($0.value) }
  }

  /// Changes the value in place and answers those who waited for that.
  @discardableResult
  package func change<Answer: Sendable>(_ body: (inout Value) -> Answer) -> Answer {
    let (answer, resumptions) = state.withLock { state in
      let answer = body(&state.value)
      return (answer, state.answered())
    }
    for resume in resumptions { resume() }
    return answer
  }

  /// What `look` sees as soon as it calls that final, or as it is after `duration`. O(1) beside waiting.
  package func wait<Answer: Sendable>(
    for duration: Duration, _ look: @escaping @Sendable (Value) -> (answer: Answer, isFinal: Bool)
  ) async -> Answer {
    let ticket = state.withLock { state in
      state.nextTicket += 1
      return state.nextTicket
    }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { (continuation: CheckedContinuation<Answer, Never>) in
        if let answer = enter(ticket, duration, look, continuation) { continuation.resume(returning: answer) }
      }
    } onCancel: {
      release(ticket)
    }
  }

  /// The answer where there is nothing to wait for; else the waiter stands on the board.
  private func enter<Answer: Sendable>(
    _ ticket: Int, _ duration: Duration, _ look: @escaping @Sendable (Value) -> (answer: Answer, isFinal: Bool),
    _ continuation: CheckedContinuation<Answer, Never>
  ) -> Answer? {
    state.withLock { state in
      let seen = look(state.value)
      if seen.isFinal || duration <= .zero || state.isClosed || Task.isCancelled { return .some(seen.answer) }
      let timer = Task { [weak self] in
        try? await Task.sleep(for: duration)
        self?.release(ticket)
      }
      state.waiters[ticket] = Waiter(
        answer: { value, isLast in
          let seen = look(value)
          guard seen.isFinal || isLast else { return nil }
          return { continuation.resume(returning: seen.answer) }
        }, timer: timer)
      return .none
    }
  }

  /// Answers everybody who waits, now and from now on.
  package func close() {
    let resumptions = state.withLock { state in
      state.isClosed = true
      return state.answered(true)
    }
    for resume in resumptions { resume() }
  }

  private func release(_ ticket: Int) {
    let resume = state.withLock { state -> (@Sendable () -> Void)? in
      guard let waiter = state.waiters.removeValue(forKey: ticket) else { return nil }
      waiter.timer.cancel()
      return waiter.answer(state.value, true)
    }
    resume?()
  }
}
