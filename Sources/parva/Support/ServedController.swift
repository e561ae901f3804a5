import Logging
import ParvaAPI
import ParvaControl
import ParvaHTTP
import Synchronization

/// What answers requests: a controller that is alone, or one of several replicas.
enum ServedController: Sendable {
  case alone(Controller)
  case replica(ReplicaHost)

  /// The server listens.
  func start() {
    switch self {
    case .alone(let controller): controller.start()
    case .replica(let host): Task { await host.run() }
    }
  }

  /// Answers who waits, so that open requests can end.
  func releaseWaiters() {
    switch self {
    case .alone(let controller): controller.releaseWaiters()
    case .replica(let host): host.releaseWaiters()
    }
  }

  /// - Parameter drain: returns when no request is open any more, and none follows.
  func stop(draining drain: @escaping @Sendable () async -> Void) async throws(StoreError) {
    switch self {
    case .alone(let controller):
      await drain()
      try await controller.stop()
    case .replica(let host): try await host.stop(draining: drain)
    }
  }
}

/// Who may come in, for one controller after the other.
final class Door: Sendable {
  private struct State {
    var file: AccessTokens?
    var roles: CertificateRoles?
    var access: AccessControl?
  }

  private let state: Mutex<State>

  init(_ file: AccessTokens?, _ roles: CertificateRoles?) { state = Mutex(State(file: file, roles: roles)) }

  /// The access to another controller, which is that of this door from now on.
  func access(_ make: (AccessTokens?, CertificateRoles?) -> AccessControl) -> AccessControl {
    state.withLock { state in
      let access = make(state.file, state.roles)
      state.access = access
      return access
    }
  }

  /// What was read again; nil leaves what is there.
  func replace(_ file: AccessTokens?, _ roles: CertificateRoles?) {
    let access = state.withLock { state in
      (state.file, state.roles) = (file ?? state.file, roles ?? state.roles)
      return state.access
    }
    if let file { access?.replace(file) }
    if let roles { access?.replace(roles) }
  }
}
