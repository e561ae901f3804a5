package import Foundation
package import ParvaWire

/// Writes a page of nodes as JSON, one node a line; members that are nil are left out. O(bytes).
///
/// The members are those of ``NodeResource``: a page of many nodes is asked for too often for a general encoder.
package enum NodeWriter {
  package static func json(_ list: NodeList) -> Data {
    var writer = DocumentWriter(.json, capacity: 4096 * (list.nodes.count + 1))
    writer.object { root in
      root.array("nodes") { nodes in
        for node in list.nodes { nodes.object(inline: true) { write(node, &$0) } }
      }
      root.field("nextCursor", list.nextCursor)
    }
    writer.finish()
    return Data(writer.bytes)
  }

  private static func write(_ node: NodeResource, _ object: inout DocumentWriter) {
    object.field("name", node.name)
    object.field("address", node.address)
    object.field("hasWebhookSecret", node.hasWebhookSecret)
    object.known("webhookSecretRef", node.webhookSecretRef)
    object.known("zone", node.zone)
    object.object("labels") { labels in
      for (key, value) in node.labels.sorted(by: { $0.key < $1.key }) { labels.entry(key, value) }
    }
    object.field("revision", node.revision)
    object.field("createdAt", node.createdAt)
    object.field("updatedAt", node.updatedAt)
    object.object("status") { write(node.status, &$0) }
  }

  private static func write(_ status: NodeResource.Status, _ object: inout DocumentWriter) {
    object.field("state", status.state)
    object.field("duty", status.duty)
    object.known("lastHeartbeat", status.lastHeartbeat)
    if let simulated = status.simulated { object.field("simulated", simulated) }
    object.known("driverVersion", status.driverVersion)
    object.known("verifiedRevision", status.verifiedRevision)
    if let matches = status.matchesPlan { object.field("matchesPlan", matches) }
    object.known("degraded", status.degraded)
    object.field("usableGPUs", status.usableGPUs)
    object.field("services", status.services)
    object.field("unhealthyServices", status.unhealthyServices)
    object.array("gpus") { list in
      for gpu in status.gpus { list.object { write(gpu, &$0) } }
    }
    object.array("conditions") { list in
      for condition in status.conditions {
        list.object { one in
          one.field("type", condition.type)
          one.field("status", condition.status.rawValue)
          one.field("reason", condition.reason)
          one.field("message", condition.message)
          one.field("since", condition.since)
        }
      }
    }
    guard let faults = status.faults else { return }
    object.array("faults") { list in
      for fault in faults {
        list.object { one in
          one.field("gpu", fault.gpu)
          one.field("xid", fault.xid)
          one.known("instance", fault.instance)
          one.field("count", fault.count)
          one.field("last", fault.last)
        }
      }
    }
  }

  private static func write(_ gpu: NodeResource.GPU, _ object: inout DocumentWriter) {
    object.field("index", gpu.index)
    object.field("uuid", gpu.uuid)
    object.field("board", gpu.board)
    object.known("product", gpu.product)
    object.known("pool", gpu.pool)
    object.known("memoryMiB", gpu.memoryMiB)
    object.known("memorySlices", gpu.memorySlices)
    object.field("migMode", gpu.migMode)
    object.field("usable", gpu.usable)
    object.known("reason", gpu.reason)
    object.known("message", gpu.message)
    object.array("instances") { list in
      for instance in gpu.instances {
        list.object { one in
          one.field("profile", instance.profile)
          one.field("profileId", instance.profileId)
          one.field("start", instance.start)
          one.field("size", instance.size)
          one.known("uuid", instance.uuid)
          one.field("owned", instance.owned)
          one.known("workload", instance.workload)
        }
      }
    }
  }
}

extension DocumentWriter {
  fileprivate mutating func known(_ key: StaticString, _ value: String?) {
    if let value { field(key, value) }
  }

  fileprivate mutating func known(_ key: StaticString, _ value: Int?) {
    if let value { field(key, value) }
  }
}
