import Foundation
import ParvaControl
import ParvaFormats
import ParvaHTTP
import Synchronization

/// The endpoints as they are sent: each form made once, however many ask.
final class EndpointBodies: Sendable {
  struct Body: Sendable {
    var bytes: Data
    var tag: String
  }

  private struct Key: Hashable, Sendable {
    var workload: String?
    var space: Space
    var form: String
  }

  private struct State {
    var edition = -1
    /// Workloads are named from outside, so it is bounded.
    var bodies = BoundedCache<Key, Body>(bytes: 128 << 20)
  }

  private let state = Mutex(State())

  /// - Parameter form: JSON, or the table for people.
  func body(
    _ view: TrafficBoard.View, _ workload: String?, as form: DocumentFormat, in space: Space
  ) throws -> Body {
    let key = Key(workload: workload, space: space, form: form.name)
    let known = state.withLock { $0.edition == view.edition ? $0.bodies[key] : nil }
    if let known { return known }
    let bytes: Data
    if let name = space.name {
      let part = view.table.part(of: name)
      let rows = part.endpoints.filter { endpoint in workload.map { $0 == endpoint.workload } ?? true }
      let list = NamespaceEndpoint.List(
        version: part.version, endpoints: rows.map { NamespaceEndpoint($0.document, space) })
      bytes = try WireWriter.json(list) + Data("\n".utf8)
    } else {
      let list = view.table.document(workload)
      bytes =
        form == .table
        ? Data(EndpointPicture.text(list, style: TextStyle()).utf8) : try WireWriter.json(list) + Data("\n".utf8)
    }
    let body = Body(bytes: bytes, tag: EntityTag(of: bytes, as: form).text)
    state.withLock { state in
      // One that was begun before another edition came is not kept.
      if state.edition < view.edition { state = State(edition: view.edition) }
      if state.edition == view.edition {
        state.bodies.keep(body, for: key, bytes: bytes.count + (workload?.utf8.count ?? 0))
      }
    }
    return body
  }
}
