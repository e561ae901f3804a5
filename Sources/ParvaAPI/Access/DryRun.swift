import Foundation
import ParvaControl
import ParvaFormats
import ParvaHTTP

/// `dryRun=true`: the handler does all that it does, the store takes nothing of it, and the answer tells what would have been.
///
/// Handlers know nothing of it. What they change goes through a store or comes before one, and there it ends
/// (`Store.commit(_:for:_:)`).
enum DryRun {
  static let parameter = "dryRun"
  /// A type of its own, so that nobody takes it for the resource that a change answers.
  static let mediaType = "application/vnd.parva.dry-run+json"

  /// Whether a request is one; takes the parameter away, which handlers do not have. Routes that tell more than what would be
  /// stored keep it (``Route/triesItself``).
  ///
  /// - Throws: 400 `invalid_parameter`, `repeated_parameter`.
  static func take(from request: inout HTTPRequest, _ route: Route) throws(ProblemDetails) -> Bool {
    let given = request.query.count { $0.name == parameter }
    guard given > 0, !route.triesItself else { return false }
    guard given == 1 else {
      throw .parameter(parameter, "is given more than once", code: "repeated_parameter")
    }
    let isDryRun = try request.flag(parameter)
    request.query.removeAll { $0.name == parameter }
    return isDryRun
  }

  /// What a handler comes to that stores nothing.
  static func answer(_ draft: AuditDraft, _ handle: () async throws -> HTTPResponse) async throws -> HTTPResponse {
    do {
      return answer(draft, try await handle())
    } catch {
      guard let outcome = draft.outcome else { throw error }
      return answer(outcome.row?.status ?? 200, outcome, Space(name: draft.namespace))
    }
  }

  /// The same of one that has come to nothing to store, or has gone on all the same.
  static func answer(_ draft: AuditDraft, _ response: HTTPResponse) -> HTTPResponse {
    answer(draft.outcome?.row?.status ?? response.status, draft.outcome, Space(name: draft.namespace))
  }

  private static func answer(_ status: Int, _ outcome: DryRunOutcome?, _ space: Space) -> HTTPResponse {
    var writer = DocumentWriter(.json)
    writer.object { root in
      root.field("dryRun", true)
      root.field("status", status)
      root.field("changed", outcome != nil)
      root.field("before", outcome?.row?.before)
      root.field("after", space.told(tag: outcome?.row?.after))
      root.array("changes") { list in
        for change in outcome?.changes ?? [] {
          list.object(inline: true) { object in
            object.field("kind", change.kind)
            object.names("set", space.told(change.set, of: change.kind))
            object.names("removed", space.told(change.removed, of: change.kind))
          }
        }
      }
      if let workload = outcome?.workload {
        root.object("workload") { WorkloadWriter.write(space.told(workload), &$0) }
      }
    }
    writer.finish()
    return HTTPResponse(status: 200, contentType: mediaType, body: Data(writer.bytes))
  }
}

extension Space {
  /// The tag of what would be without its revision, which counts what others have changed, too.
  fileprivate func told(tag: String?) -> String? {
    name == nil ? tag : tag.map { "0" + $0.drop { $0 != "." } }
  }

  fileprivate func told(_ names: PlanCause.Names, of kind: String) -> PlanCause.Names {
    guard ["workloads", "segments", "webhooks"].contains(kind) else { return names }
    var names = names
    names.first = names.first.map { told($0) }
    return names
  }
}
