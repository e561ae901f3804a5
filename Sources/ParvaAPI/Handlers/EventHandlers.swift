import Foundation
import ParvaControl
import ParvaHTTP

/// `/v1/events`: what happens to plans, operations, nodes and workloads, as server-sent events. Who is bound to a namespace is
/// told what happens to its workloads, and when a plan tells it something new, under numbers of its own.
struct EventHandlers: Sendable {
  let log: EventLog

  /// Begins after `Last-Event-ID`, or with what comes from now on. Where events are gone that the client has not seen, an
  /// event `gap` says so; a client that falls behind while it reads gets one too, and the stream ends.
  func stream(_ request: HTTPRequest) throws -> HTTPResponse {
    try request.allowQuery()
    try EventStream.accepted(by: request)
    let isWhole = request.space.name == nil
    let log = request.space.name.map { self.log.log(of: $0) } ?? self.log
    let begin = try EventStream.last(of: request, default: log.newest)
    return EventStream.response { writer in
      var last = begin
      var isFirst = true
      try await writer.sendComment("events")
      while !log.isClosed, !Task.isCancelled {
        let batch = await log.next(after: last, within: .seconds(EventStream.heartbeat))
        if batch.hasGap {
          try await writer.send(
            event: "gap", id: String(batch.last),
            data: isWhole
              ? #"{"read":["/v1/plan","/v1/operations","/v1/nodes","/v1/workloads"]}"#
              : #"{"read":["/v1/plan","/v1/workloads"]}"#)
          // Who cannot keep up reads the lists again, and comes back with the id.
          guard isFirst else { return }
        } else if batch.events.isEmpty, !log.isClosed {
          try await writer.sendComment("still here")
        }
        isFirst = false
        for event in batch.events { try await writer.send(event: event.kind, id: String(event.id), data: event.data) }
        last = batch.last
      }
    }
  }
}
