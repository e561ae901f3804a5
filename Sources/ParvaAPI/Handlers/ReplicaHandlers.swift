import Foundation
import ParvaControl
import ParvaFormats
import ParvaHTTP

/// `/v1/replicas`: which controllers share the store, and what does not fit together among them.
struct ReplicaHandlers: Sendable {
  private static let mostReplicas = 64

  let part: ReplicaPart

  /// None where there is no other; else as the replica sees it that is asked.
  func list(_ request: HTTPRequest) throws -> HTTPResponse {
    let query = try PageQuery(request, default: Self.mostReplicas, most: Self.mostReplicas)
    try request.acceptsJSON()
    let members = (part.census?.members ?? []).sorted { $0.id < $1.id }
    let page = query.page(members.filter { $0.id > query.cursor ?? "" }) { $0.id }
    let findings = part.census?.findings ?? []
    var writer = DocumentWriter(.json)
    writer.object { root in
      root.array("replicas") { list in
        for member in page.items { write(member, findings, &list) }
      }
      root.field("nextCursor", page.next)
    }
    writer.finish()
    return HTTPResponse(status: 200, contentType: "application/json", body: Data(writer.bytes))
  }

  /// By its address, since the store tells no more; where it is that of this replica, too, this one knows whether it leads itself.
  private func leads(_ member: ReplicaMember) -> Bool {
    guard let own = part.census?.own, member.address == part.leader?.address else { return false }
    guard member.address == own.address else { return true }
    return (member.id == own.id) == (part.name == "leader")
  }

  private func write(_ member: ReplicaMember, _ findings: [ReplicaFinding], _ list: inout DocumentWriter) {
    list.object { replica in
      replica.field("id", member.id)
      replica.field("address", member.address)
      replica.field("host", member.host)
      replica.field("version", member.version)
      replica.field("role", leads(member) ? "leader" : "follower")
      replica.field("isAsked", member.id == part.census?.own.id)
      replica.array("differences") { list in
        guard let own = part.census?.own else { return }
        for difference in ReplicaFinding.differences(own, member) {
          list.object { one in
            one.field("option", difference.option)
            one.field("here", difference.here)
            one.field("there", difference.there)
          }
        }
      }
      replica.array("findings") { list in
        for finding in findings where finding.id == member.id {
          list.object { one in
            one.field("code", finding.code.rawValue)
            one.field("message", finding.message)
          }
        }
      }
    }
  }
}
