package import ParvaControl
package import ParvaHTTP

extension Route.Access {
  /// Whoever reaches the address.
  static let anyone = Route.Access(level: 0, isRecorded: false).with(.any)
  /// Whoever shows a credential, of a node too.
  static let anyCaller = Route.Access(level: AccessRole.reader.level, speakers: .all, isRecorded: false).with(.any)
  static let reader = Route.Access(level: AccessRole.reader.level, isRecorded: false)
  /// A change, which the audit has.
  static let `operator` = Route.Access(level: AccessRole.operator.level, isRecorded: true)
  /// Only to look.
  static let auditor = Route.Access(level: AccessRole.admin.level, isRecorded: false)
  /// A change, which the audit has.
  static let admin = Route.Access(level: AccessRole.admin.level, isRecorded: true)

  /// The agent of the node that the path names, too.
  var orItsNode: Route.Access {
    var access = self
    access.speakers = .of(parameter: "name")
    return access
  }

  /// Holders of tokens of one namespace, too, of whose things it tells and changes nothing but their own.
  var orItsNamespace: Route.Access { with(.own) }

  private func with(_ tenancy: Tenancy) -> Route.Access {
    var access = self
    access.tenancy = tenancy
    return access
  }

  /// Comes by itself, again and again: not in the audit, and not counted against a limit of requests.
  var heartbeat: Route.Access {
    var access = self
    (access.isRecorded, access.isHeartbeat) = (false, true)
    return access
  }

  /// The least role that is let in; nil for anybody.
  package var role: AccessRole? { AccessRole(level: level) }

  func allows(_ caller: Caller, _ request: HTTPRequest) -> Bool {
    guard let role = AccessRole(rawValue: caller.role) else { return false }
    if role != .node { return role.level >= level }
    switch speakers {
    case .none: return false
    case .all: return true
    case .of(let parameter): return caller.node != nil && caller.node == request.pathParameters[parameter]
    }
  }
}

extension Route {
  /// A row of the table: every route says who may call it.
  init(
    _ method: String, _ pattern: String, _ access: Access, bodyLimit: Int = 1 << 20, concurrency: Int? = nil,
    _ handler: Handler
  ) {
    self.init(method, pattern, bodyLimit: bodyLimit, concurrency: concurrency, handler)
    self.access = access
  }

  /// A row of what may be open for long or takes long: no caller gets all of it.
  init(
    _ method: String, _ pattern: String, _ access: Access, bodyLimit: Int = 1 << 20,
    shared: @escaping @Sendable () -> Concurrency, _ handler: Handler
  ) {
    self.init(method, pattern, bodyLimit: bodyLimit, handler)
    self.access = access
    concurrency = shared
  }
}
