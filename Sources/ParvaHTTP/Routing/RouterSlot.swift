import Synchronization

/// The routes of a server that may be replaced while it runs: a request is answered by those that were there when it came.
package final class RouterSlot: Sendable {
  private let state: Mutex<Router>

  package init(_ router: Router) { state = Mutex(router) }

  package var router: Router { state.withLock { $0 } }

  /// Takes effect with the next request.
  package func replace(with router: Router) { state.withLock { $0 = router } }
}
