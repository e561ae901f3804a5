import Foundation
import ParvaHTTP
import ParvaWire
import Synchronization

extension NodeRoutes {
  /// Prometheus text. Labels follow DCGM's names where it has them.
  func metrics(_ request: HTTPRequest) async throws -> HTTPResponse {
    let document = try? await agent.document()
    var lines: [String] = []
    func gauge(_ name: String, _ help: String, _ samples: [(labels: String, value: Int)], type: String = "gauge") {
      lines.append("# HELP \(name) \(help)")
      lines.append("# TYPE \(name) \(type)")
      for sample in samples { lines.append("\(name)\(sample.labels) \(sample.value)") }
    }
    gauge("parva_node_up", "Whether the driver answers.", [("", document == nil ? 0 : 1)])
    gauge("parva_node_simulated", "Whether no hardware is behind the driver.", [("", agent.simulated ? 1 : 0)])
    if let document {
      let gpus = document.observed.gpus
      gauge(
        "parva_node_verified_revision", "Plan revision that was last read back as wanted.",
        document.verified.map { [("", $0.revision)] } ?? [])
      gauge(
        "parva_node_degraded", "Whether the GPUs are known to differ from the verified plan.",
        [("", document.verified?.degraded == nil ? 0 : 1)])
      gauge(
        "parva_node_gpu_faulty", "Whether a GPU does not answer.",
        gpus.map { ("{gpu=\"\($0.index)\",UUID=\"\($0.uuid)\"}", $0.fault == nil ? 0 : 1) })
      gauge(
        "parva_node_lost_instances", "Instances that Parva made on a GPU that does not answer.",
        (document.lost ?? []).map { ("{UUID=\"\($0.gpu)\"}", $0.instances.count) })
      gauge(
        "parva_node_instance_owned", "GPU instances; 1 for those that Parva made.",
        gpus.flatMap { gpu in
          gpu.instances.map { instance in
            let name = gpu.profile(id: instance.profileID)?.name ?? "\(instance.profileID)"
            let owned = document.owned.contains { $0.gpu == gpu.uuid && $0.instance == instance.id }
            return (
              "{gpu=\"\(gpu.index)\",UUID=\"\(gpu.uuid)\",GPU_I_ID=\"\(instance.id)\",GPU_I_PROFILE=\"\(name)\","
                + "start=\"\(instance.start)\"}", owned ? 1 : 0
            )
          }
        })
      gauge(
        "parva_node_xid_errors_total", "Errors that a GPU reported since the agent began, by XID.",
        (document.faults ?? []).map { fault in
          let index = gpus.first { $0.uuid == fault.gpu }?.index
          let instance = fault.instance.map { ",GPU_I_ID=\"\($0)\"" } ?? ""
          return (
            "{gpu=\"\(index.map { String($0) } ?? "")\",UUID=\"\(fault.gpu)\"\(instance),xid=\"\(fault.xid)\"}",
            fault.count
          )
        }, type: "counter")
      gauge(
        "parva_node_service_healthy", "Whether nothing is wrong with an MPS daemon or a server.",
        document.services.map {
          (
            "{kind=\"\($0.kind)\",uuid=\"\($0.uuid)\",ordinal=\"\($0.ordinal)\"}",
            $0.isUnhealthy ? 0 : 1
          )
        })
      gauge(
        "parva_node_service_restarts_total", "Restarts of an MPS daemon or a server.",
        document.services.map {
          ("{kind=\"\($0.kind)\",uuid=\"\($0.uuid)\",ordinal=\"\($0.ordinal)\"}", $0.restarts)
        }, type: "counter")
    }
    let outcomes = agent.state.withLock { $0.outcomes }
    gauge(
      "parva_node_applies_total", "Applies by their end.",
      NodeOperationDocument.Status.allCases.filter(\.isOver).map {
        ("{status=\"\($0.rawValue)\"}", outcomes[$0] ?? 0)
      }, type: "counter")
    return HTTPResponse(
      status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8",
      body: Data((lines.joined(separator: "\n") + "\n").utf8))
  }
}
