import ParvaControl
import ParvaEngine
import ParvaFormats
import ParvaHTTP

/// The part of all there is that a caller sees and changes: one namespace, in which it speaks of bare ids; or everything,
/// where ids of other namespaces than `default` are qualified.
struct Space: Hashable, Sendable {
  /// Nil: everything.
  let name: String?

  static let everything = Space(name: nil)

  /// A workload's id as it is known everywhere, of what the caller calls it. What cannot be an id of the space becomes one
  /// that nothing has. O(length).
  func id(_ told: String) -> String {
    guard let name else { return told }
    return Namespace.isQualified(told) ? ":" + told : Namespace.qualified(told, in: name)
  }

  /// What the caller calls a workload of its space, or a segment of one. O(length).
  func told(_ id: String) -> String { name == nil ? id : Namespace.bare(id) }

  /// Whether a workload, or a segment of one, is of the space. O(length).
  func holds(_ id: String) -> Bool { name.map { Namespace.of(id) == $0 } ?? true }

  /// A subscriber's id as it is known everywhere: all that are a namespace's tell it, those of `default` as well.
  func subscriber(_ told: String) -> String {
    guard let name else { return told }
    return (Namespace.isQualified(told) ? "" : name) + ":" + told
  }

  func told(_ workload: Workload) -> Workload {
    guard name != nil else { return workload }
    var workload = workload
    workload.id = told(workload.id)
    return workload
  }

  /// A workload that the caller has sent, as it is known everywhere.
  ///
  /// - Throws: 422 `namespace_mismatch` for one of another namespace, whether or not there is such.
  func taken(_ workload: Workload, at place: String = "") throws(ProblemDetails) -> Workload {
    guard let name else { return workload }
    guard Namespace.isQualified(workload.id) ? Namespace.of(workload.id) == name : true else {
      throw ProblemDetails(
        status: 422, code: "namespace_mismatch",
        detail:
          "The workload \(workload.id) is of another namespace than \(name), which is all that the credential is for.",
        pointer: place + "/id")
    }
    guard name != Namespace.standard, !Namespace.isQualified(workload.id) else { return workload }
    var workload = workload
    workload.id = Namespace.qualified(workload.id, in: name)
    return workload
  }

  /// The rows of the space whose ids come after one, all for nil. O(log n), in `default` alone O(n).
  func rows(_ table: RegistrationTable, after id: String? = nil) -> ArraySlice<Registration> {
    name.map { table.rows(in: $0, after: id) } ?? table.rows(after: id)
  }
}

extension HTTPRequest {
  /// Of whom asks.
  var space: Space { Space(name: caller?.namespace) }

  /// The same, narrowed down to what `namespace` in the query names; who is bound to one namespace can name no other.
  ///
  /// - Throws: 400 `invalid_parameter`; 403 `namespace_insufficient`.
  func askedSpace() throws(ProblemDetails) -> Space {
    guard let name = queryValue("namespace") else { return space }
    guard Namespace.isName(name) else { throw .parameter("namespace", "must be \(Namespace.nameRule)") }
    if let own = space.name, own != name {
      throw ProblemDetails(
        status: 403, code: "namespace_insufficient",
        detail: "\(callerName) is for the namespace \(own) alone.",
        headers: ["WWW-Authenticate": "Bearer realm=\"parva\", error=\"insufficient_scope\""])
    }
    return Space(name: name)
  }
}
