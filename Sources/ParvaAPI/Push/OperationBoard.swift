import ParvaWire
import Synchronization

/// Operations of this process as they are at the moment, and those who wait for them.
final class OperationBoard: Sendable {
  /// Operations kept in memory after their end; the store has older ones.
  static let kept = 64

  private struct Waiter {
    let id: String
    let continuation: CheckedContinuation<FleetOperationDocument?, Never>
    let timer: Task<Void, Never>
  }

  private struct State {
    var documents: [String: FleetOperationDocument] = [:]
    var order: [String] = []
    var waiters: [Int: Waiter] = [:]
    var nextWaiter = 0
    var isClosed = false
  }

  private let state = Mutex(State())

  subscript(id: String) -> FleetOperationDocument? { state.withLock { $0.documents[id] } }

  /// By age, oldest first.
  var running: [FleetOperationDocument] {
    state.withLock { state in state.order.compactMap { state.documents[$0] }.filter { !$0.status.isOver } }
  }

  func add(_ document: FleetOperationDocument) {
    state.withLock { state in
      if state.documents.updateValue(document, forKey: document.id) == nil { state.order.append(document.id) }
      while state.order.count > Self.kept,
        let old = state.order.firstIndex(where: { state.documents[$0]?.status.isOver ?? true })
      {
        state.documents[state.order.remove(at: old)] = nil
      }
    }
  }

  /// Changes an operation and answers it as it is then. One that is over stays as it is.
  @discardableResult
  func update(_ id: String, _ body: (inout FleetOperationDocument) -> Void) -> FleetOperationDocument? {
    let (document, waiters) = state.withLock { state -> (FleetOperationDocument?, [Waiter]) in
      guard var document = state.documents[id], !document.status.isOver else { return (state.documents[id], []) }
      body(&document)
      state.documents[id] = document
      guard document.status.isOver else { return (document, []) }
      let done = state.waiters.filter { $0.value.id == id }
      for ticket in done.keys { state.waiters[ticket] = nil }
      return (document, done.values.map(\.self))
    }
    for waiter in waiters { Self.resume(waiter, document) }
    return document
  }

  /// The operation as soon as it is over, or as it is after `duration`.
  func wait(for id: String, _ duration: Duration) async -> FleetOperationDocument? {
    let ticket = state.withLock { state in
      state.nextWaiter += 1
      return state.nextWaiter
    }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let ready: FleetOperationDocument?? = state.withLock { state in
          let document = state.documents[id]
          if document?.status.isOver ?? true || duration <= .zero || state.isClosed || Task.isCancelled {
            return .some(document)
          }
          let timer = Task { [weak self] in
            try? await Task.sleep(for: duration)
            self?.release(ticket)
          }
          state.waiters[ticket] = Waiter(id: id, continuation: continuation, timer: timer)
          return .none
        }
        if let ready { continuation.resume(returning: ready) }
      }
    } onCancel: {
      release(ticket)
    }
  }

  /// Answers everybody who waits, now and from now on: the controller stops.
  func close() {
    let (waiters, documents) = state.withLock { state in
      state.isClosed = true
      defer { state.waiters = [:] }
      return (state.waiters.values.map(\.self), state.documents)
    }
    for waiter in waiters { Self.resume(waiter, documents[waiter.id]) }
  }

  private func release(_ ticket: Int) {
    let (waiter, document) = state.withLock { state in
      let waiter = state.waiters.removeValue(forKey: ticket)
      return (waiter, waiter.flatMap { state.documents[$0.id] })
    }
    if let waiter { Self.resume(waiter, document) }
  }

  private static func resume(_ waiter: Waiter, _ document: FleetOperationDocument?) {
    waiter.timer.cancel()
    waiter.continuation.resume(returning: document)
  }
}
