import ParvaServing
import Synchronization

/// The model of a stand-in server: it takes as long as a profile says, and computes nothing.
final class SimulatedModel: Sendable {
  /// What became of one request.
  struct Answer: Sendable {
    /// Requests that were executed together.
    var batch: Int
    var waited: Duration
    var executed: Duration
  }

  struct Counts: Sendable {
    /// Requests answered.
    var served = 0
    /// Requests refused, because the server drains.
    var refused = 0
    var batches = 0
    var waiting = 0
    var executing = 0
    var isDraining = false
    /// Seconds from coming to answer.
    var sojourns = Histogram(bounds: [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10])

    var inFlight: Int { waiting + executing }
  }

  private struct Request: Sendable {
    var came: ContinuousClock.Instant
    var done: CheckedContinuation<Answer?, Never>
  }

  private struct State {
    var queue: RequestBatcher<Request>
    var counts = Counts()
    /// Who waits for the last answer.
    var idle: [CheckedContinuation<Void, Never>] = []
  }

  /// How long batches of 1 to the limit take.
  private let durations: [Duration]
  private let state: Mutex<State>

  /// - Parameters:
  ///   - durations: of batches of 1 to the limit; not empty.
  ///   - instances: model instances that take from the one queue, at least 1.
  init(durations: [Duration], instances: Int) {
    self.durations = durations
    state = Mutex(State(queue: RequestBatcher(limit: durations.count, instances: instances)))
  }

  /// Nil for a request that comes while the server drains.
  func serve() async -> Answer? {
    await withCheckedContinuation { done in
      let request = Request(came: .now, done: done)
      // One step: a drain waits for every request that was not refused.
      let (isTaken, batch) = state.withLock { state in
        guard !state.counts.isDraining else {
          state.counts.refused += 1
          return (false, RequestBatcher<Request>.Batch?.none)
        }
        return (true, state.queue.arrive(request))
      }
      if !isTaken { done.resume(returning: nil) }
      if let batch { execute(batch) }
    }
  }

  /// Takes nothing new from now on; returns when all that was taken is answered.
  func drain() async {
    await withCheckedContinuation { done in
      let isIdle = state.withLock { state in
        state.counts.isDraining = true
        if state.queue.inFlight > 0 { state.idle.append(done) }
        return state.queue.inFlight == 0
      }
      if isIdle { done.resume() }
    }
  }

  var counts: Counts {
    state.withLock { state in
      var counts = state.counts
      counts.waiting = state.queue.waitingCount
      counts.executing = state.queue.executing
      return counts
    }
  }

  private func execute(_ batch: RequestBatcher<Request>.Batch) {
    let began = ContinuousClock.now
    let duration = durations[batch.requests.count - 1]
    Task {
      try? await Task.sleep(until: began + duration, tolerance: .zero, clock: .continuous)
      end(batch, began: began)
    }
  }

  private func end(_ batch: RequestBatcher<Request>.Batch, began: ContinuousClock.Instant) {
    let now = ContinuousClock.now
    let (next, idle) = state.withLock { state in
      state.counts.batches += 1
      state.counts.served += batch.requests.count
      for request in batch.requests { state.counts.sojourns.add((now - request.came).seconds) }
      let next = state.queue.end(batch)
      guard state.queue.inFlight == 0 else { return (next, [CheckedContinuation<Void, Never>]()) }
      defer { state.idle = [] }
      return (next, state.idle)
    }
    if let next { execute(next) }
    for request in batch.requests {
      request.done.resume(
        returning: Answer(batch: batch.requests.count, waited: began - request.came, executed: now - began))
    }
    for waiter in idle { waiter.resume() }
  }
}
