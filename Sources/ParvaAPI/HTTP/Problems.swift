import ParvaControl
import ParvaHTTP

/// Where errors of the layers below become problem details; handlers make only what is theirs alone.
extension ProblemDetails {
  /// After a start nobody is to route by what was true before it.
  static var unsettled: ProblemDetails {
    ProblemDetails(
      status: 503, code: "endpoints_pending", detail: "Not every node has spoken since the controller began.",
      headers: ["Retry-After": "1"])
  }

  /// - Parameter pointerPrefix: where the workloads stand in the body, for the pointer to a taken id.
  init(_ refusal: ChangeRefusal, resource: String, pointerPrefix: String? = nil) {
    switch refusal {
    case .exists(let id, let index):
      self.init(
        status: 409, code: "already_exists", detail: "A workload with the id \(id) is registered already.",
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
    case .keyReused:
      self.init(
        status: 422, code: "idempotency_key_reused",
        detail: "This Idempotency-Key was used for another request; every request needs a key of its own.")
    case .tooMany(let limit):
      self.init(
        status: 409, code: "too_many_workloads",
        detail: "This controller takes at most \(limit) workloads (--max-workloads).")
    case .tooManyProfiles(let limit):
      self.init(
        status: 409, code: "too_many_profiles", detail: "This controller keeps at most \(limit) profiles of clients.")
    case .storeFailed(let error):
      self.init(error)
    }
  }

  init(_ error: StoreError) {
    let isFull = error.code == .full
    self.init(
      status: isFull ? 507 : 503, code: error.code.rawValue,
      detail: isFull
        ? "There is no room left for the store, and nothing was changed; the controller only reads until there is."
        : "The store cannot take or give this now, and nothing was changed; the server's log has the cause.",
      headers: ["Retry-After": "5"])
  }
}
