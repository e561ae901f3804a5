import Foundation
import ParvaControl
import ParvaFormats
import ParvaHTTP

/// `/v1/plan/events`: an event for every new plan, as server-sent events.
struct PlanEventHandlers: Sendable {
  let board: PlanBoard

  /// Begins with the current plan, unless `Last-Event-ID` says that the client has it. Plans that were replaced before
  /// they could be sent are left out: the newest is what counts.
  func stream(_ request: HTTPRequest) throws -> HTTPResponse {
    try request.allowQuery()
    try EventStream.accepted(by: request)
    let last = try EventStream.last(of: request, default: 0)
    let (board, space) = (board, request.space)
    return EventStream.response { writer in
      var last = last
      try await writer.sendComment("plans")
      while !board.isClosed, !Task.isCancelled {
        let known = last
        // Another revision, not a later one only: a store that was replaced starts again.
        let view = await board.wait(for: .seconds(EventStream.heartbeat)) { view in
          Self.revision(of: view, space).map { $0 != known } ?? false
        }
        if let plan = view.plan, let revision = Self.revision(of: view, space), revision != known {
          last = revision
          try await writer.send(
            event: "plan", id: String(last), data: space.name == nil ? Self.data(of: plan) : Self.data(of: revision))
        } else if !board.isClosed {
          try await writer.sendComment("still here")
        }
      }
    }
  }

  /// Of the plan as the caller is told of it.
  private static func revision(of view: PlanBoard.View, _ space: Space) -> Int? {
    space.name.map { view.revision(for: $0) } ?? view.plan?.record.revision
  }

  /// What is said of a plan to one namespace.
  private static func data(of revision: Int) -> String { #"{"revision":\#(revision),"plan":"/v1/plan"}"# }

  private static func data(of plan: PublishedPlan) -> String {
    var writer = DocumentWriter(.json)
    writer.object(inline: true) { root in
      root.field("revision", plan.record.revision)
      root.field("demandRevision", plan.record.demandRevision)
      root.field("gpuCount", plan.record.gpuCount)
      root.field("unplaced", plan.record.unplacedCount)
      root.field("plan", "/v1/plan")
    }
    return String(decoding: writer.bytes, as: UTF8.self)
  }
}
