import Synchronization

/// The current plan, and those who wait for another one.
package final class PlanBoard: Sendable {
  package struct View: Sendable {
    /// Nil until there is one: from the store at the start, else made by the first planning.
    package var plan: PublishedPlan?
    /// The newest demand revision for which planning has ended, well or not; -1 before the first.
    package var attempted = -1
    /// The generation of the fleet that the newest attempt has seen; -1 before the first.
    package var fleet = -1
    /// Why the newest attempt gave no plan.
    package var failure: String?
    /// What the planner suffers from, whether or not another plan could be published in its stead; nil where it is well.
    package var trouble: PlanningTrouble?
  }

  fileprivate struct Waiter {
    let isAnswered: @Sendable (View) -> Bool
    let continuation: CheckedContinuation<View, Never>
    let timer: Task<Void, Never>
  }

  private struct State {
    var view = View()
    var waiters: [Int: Waiter] = [:]
    var nextWaiter = 0
    var isClosed = false
  }

  private let state = Mutex(State())

  package init() {}

  package var view: View { state.withLock(\.view) }

  /// Whether nobody is to wait any more.
  package var isClosed: Bool { state.withLock(\.isClosed) }

  package func publish(_ plan: PublishedPlan, fleet: Int = 0, trouble: PlanningTrouble? = nil) {
    change { view in
      view.trouble = trouble
      view.plan = plan
      view.attempted = plan.record.demandRevision
      view.fleet = fleet
      view.failure = nil
    }
  }

  /// The plan that is there stays.
  package func fail(
    at demandRevision: Int, fleet: Int = 0, _ reason: String, trouble: PlanningTrouble? = nil
  ) {
    change { view in
      view.trouble = trouble
      view.attempted = demandRevision
      view.fleet = fleet
      view.failure = reason
    }
  }

  /// The view as soon as it answers the question, or as it is after `duration`. O(1) beside waiting.
  package func wait(for duration: Duration, until isAnswered: @escaping @Sendable (View) -> Bool) async -> View {
    let ticket = state.withLock { state in
      state.nextWaiter += 1
      return state.nextWaiter
    }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let ready: View? = state.withLock { state in
          if isAnswered(state.view) || duration <= .zero || state.isClosed || Task.isCancelled { return state.view }
          let timer = Task { [weak self] in
            try? await Task.sleep(for: duration)
            self?.release(ticket)
          }
          state.waiters[ticket] = Waiter(isAnswered: isAnswered, continuation: continuation, timer: timer)
          return nil
        }
        if let ready { continuation.resume(returning: ready) }
      }
    } onCancel: {
      release(ticket)
    }
  }

  /// Answers everybody who waits, now and from now on: the controller stops.
  package func close() {
    let waiters = state.withLock { state in
      state.isClosed = true
      defer { state.waiters = [:] }
      return (state.waiters.values.map(\.self), state.view)
    }
    for waiter in waiters.0 { waiter.resume(waiters.1) }
  }

  private func change(_ body: (inout View) -> Void) {
    let (answered, view) = state.withLock { state in
      body(&state.view)
      let answered = state.waiters.filter { $0.value.isAnswered(state.view) }
      for ticket in answered.keys { state.waiters[ticket] = nil }
      return (answered.values.map(\.self), state.view)
    }
    for waiter in answered { waiter.resume(view) }
  }

  private func release(_ ticket: Int) {
    let (waiter, view) = state.withLock { state in (state.waiters.removeValue(forKey: ticket), state.view) }
    waiter?.resume(view)
  }
}

extension PlanBoard.Waiter {
  fileprivate func resume(_ view: PlanBoard.View) {
    timer.cancel()
    continuation.resume(returning: view)
  }
}
