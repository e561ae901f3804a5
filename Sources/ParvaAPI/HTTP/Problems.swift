import ParvaControl
import ParvaEngine
import ParvaHTTP

/// Where errors of the layers below become problem details; handlers make only what is theirs alone.
extension ProblemDetails {
  /// After a start nobody is to route by what was true before it.
  static var unsettled: ProblemDetails {
    ProblemDetails(
      status: 503, code: "endpoints_pending", detail: "Not every node has spoken since the controller began.",
      headers: ["Retry-After": "1"])
  }

  /// - Parameters:
  ///   - pointerPrefix: where the workloads stand in the body, for the pointer to a taken id.
  ///   - space: whose ids the caller knows.
  init(_ refusal: ChangeRefusal, resource: String, pointerPrefix: String? = nil, in space: Space = .everything) {
    switch refusal {
    case .exists(let id, let index):
      self.init(
        status: 409, code: "already_exists",
        detail: "A workload with the id \(space.told(id)) is registered already.",
        pointer: pointerPrefix.map { $0.isEmpty ? "/id" : "\($0)\(index)/id" })
    case .notFound:
      self.init(status: 404, code: "not_found", detail: "There is no \(resource).")
    case .preconditionFailed(let current?):
      self.init(
        status: 412, code: "precondition_failed",
        detail: "The \(resource) has changed: it is at revision \(current). Read it again and repeat the change.")
    case .preconditionFailed(nil):
      self.init(
        status: 412, code: "precondition_failed", detail: "There is no \(resource), and the request demands one.")
    case .raced:
      self.init(
        status: 409, code: "conflict", detail: "Others keep changing the \(resource); try again.",
        headers: ["Retry-After": "1"])
    case .keyReused:
      self.init(
        status: 422, code: "idempotency_key_reused",
        detail: "This Idempotency-Key was used for another request; every request needs a key of its own.")
    case .tooMany(let limit):
      self.init(
        status: 409, code: "too_many_workloads",
        detail: "This controller takes at most \(limit) workloads (--max-workloads).")
    case .tooManyProfiles(let limit, nil):
      self.init(
        status: 409, code: "too_many_profiles", detail: "This controller keeps at most \(limit) profiles of clients.")
    case .tooManyProfiles(let limit, let name?):
      self.init(
        status: 409, code: "too_many_profiles",
        detail: "The namespace \(name) keeps at most \(limit) profiles of its own; delete one that nothing needs.")
    case .tooManyPoints(let limit, let name):
      self.init(
        status: 409, code: "too_many_points",
        detail:
          "The profiles of the namespace \(name) may have \(limit) points together; delete one that nothing needs.")
    case .unknownNamespace(let name):
      self.init(
        status: 422, code: "unknown_namespace",
        detail: "There is no namespace \(name); POST /v1/namespaces makes it.")
    case .namespaceExists(let name):
      self.init(
        status: 409, code: "already_exists", detail: "There is a namespace \(name) already.", pointer: "/name")
    case .namespaceInUse(let name, let workloads):
      self.init(
        status: 409, code: "namespace_in_use",
        detail: "The namespace \(name) holds \(workloads) workloads; only an empty one can be deleted.")
    case .namespaceStays:
      self.init(
        status: 409, code: "namespace_stays",
        detail: "The namespace default is that of all ids without one, and cannot be deleted.")
    case .tooManyNamespaces(let limit):
      self.init(
        status: 409, code: "too_many_namespaces", detail: "This controller keeps at most \(limit) namespaces.")
    case .quotaExceeded(let excess):
      let (limit, used, wanted) = (excess.limit.shortText, excess.used.shortText, excess.wanted.shortText)
      self.init(
        status: 409, code: "quota_exceeded",
        detail: "The quota of the namespace \(excess.namespace) is \(limit) "
          + (excess.kind == .rate ? "requests/s" : "workloads")
          + "; \(used) are used, and with this it would be \(wanted), \((excess.wanted - excess.limit).shortText) too many.",
        pointer: pointerPrefix == "" ? (excess.kind == .rate ? "/rate" : "/id") : nil)
    case .storeFailed(let error):
      self.init(error)
    }
  }

  init(_ error: StoreError) {
    switch error.code {
    case .full:
      self.init(
        status: 507, code: error.code.rawValue,
        detail: "There is no room left for the store, and nothing was changed; the controller only reads until "
          + "there is.",
        headers: ["Retry-After": "5"])
    case .notLeader: self = .notLeader()
    case .outcomeUnknown: self = .unclear("The store has not said in time whether it took this")
    default:
      self.init(
        status: 503, code: error.code.rawValue,
        detail: "The store cannot take or give this now, and nothing was changed; the server's log has the cause.",
        headers: ["Retry-After": "5"])
    }
  }

  /// Nobody can say whether it was done.
  static func unclear(_ why: String) -> ProblemDetails {
    ProblemDetails(
      status: 503, code: StoreError.Code.outcomeUnknown.rawValue,
      detail:
        "\(why): it may have been done. Look before it is sent again; with an Idempotency-Key it can be sent again "
        + "as it is.")
  }

  /// It was surely not done.
  static func notLeader(
    _ detail: String = "No replica leads at the moment; one will within seconds."
  ) -> ProblemDetails {
    ProblemDetails(
      status: 503, code: StoreError.Code.notLeader.rawValue, detail: detail + " Nothing was done; send it again.",
      headers: ["Retry-After": "1"])
  }
}
