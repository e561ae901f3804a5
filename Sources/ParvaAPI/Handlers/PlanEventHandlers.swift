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
    let board = board
    return EventStream.response { writer in
      var last = last
      try await writer.sendComment("plans")
      while !board.isClosed, !Task.isCancelled {
        let known = last
        // Another revision, not a later one only: a store that was replaced starts again.
        let view = await board.wait(for: .seconds(EventStream.heartbeat)) { view in
          view.plan.map { $0.record.revision != known } ?? false
        }
        if let plan = view.plan, plan.record.revision != known {
          last = plan.record.revision
          try await writer.send(event: "plan", id: String(last), data: Self.data(of: plan))
        } else if !board.isClosed {
          try await writer.sendComment("still here")
        }
      }
    }
  }

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
