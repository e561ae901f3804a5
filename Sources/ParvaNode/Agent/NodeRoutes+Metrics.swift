import ParvaHTTP
import ParvaServing
import ParvaWire

extension NodeRoutes {
  /// Prometheus text. Labels follow DCGM's names where it has them.
  func metrics(_ request: HTTPRequest) async throws -> HTTPResponse {
    try admit(request)
    let document = try? await agent.document()
    var text = MetricsText()
    text.single("parva_node_up", "gauge", "Whether the driver answers.", document == nil ? 0 : 1)
    text.single(
      "parva_node_simulated", "gauge", "Whether no hardware is behind the driver.", agent.simulated ? 1 : 0)
    if let document { Self.write(document, to: &text) }
    let outcomes = agent.operations.outcomes
    text.family("parva_node_applies_total", "counter", "Applies by their end.") { family in
      for status in NodeOperationDocument.Status.allCases where status.isOver {
        family.sample(["status": status.rawValue], Double(outcomes[status] ?? 0))
      }
    }
    server.write(to: &text)
    return .metrics(text.text)
  }

  private static func write(_ document: NodeStateDocument, to text: inout MetricsText) {
    if let verified = document.verified {
      text.single(
        "parva_node_verified_revision", "gauge", "Plan revision that was last read back as wanted.",
        verified.revision)
    }
    text.single(
      "parva_node_degraded", "gauge", "Whether the GPUs are known to differ from the verified plan.",
      document.verified?.degraded == nil ? 0 : 1)
    let gpus = document.observed.gpus
    text.family("parva_node_gpu_faulty", "gauge", "Whether a GPU does not answer.") { family in
      for gpu in gpus { family.sample(["gpu": "\(gpu.index)", "UUID": gpu.uuid], gpu.fault == nil ? 0 : 1) }
    }
    text.family(
      "parva_node_lost_instances", "gauge", "Instances that Parva made on a GPU that does not answer."
    ) { family in
      for gpu in document.lost ?? [] { family.sample(["UUID": gpu.gpu], Double(gpu.instances.count)) }
    }
    text.family(
      "parva_node_instance_owned", "gauge", "GPU instances; 1 for those that Parva made."
    ) { family in
      for gpu in gpus {
        for instance in gpu.instances {
          let labels = [
            "gpu": "\(gpu.index)", "UUID": gpu.uuid, "GPU_I_ID": "\(instance.id)",
            "GPU_I_PROFILE": gpu.profile(id: instance.profileID)?.name ?? "\(instance.profileID)",
            "start": "\(instance.start)",
          ]
          family.sample(
            labels, document.owned.contains { $0.gpu == gpu.uuid && $0.instance == instance.id } ? 1 : 0)
        }
      }
    }
    text.family(
      "parva_node_xid_errors_total", "counter", "Errors that a GPU reported since the agent began, by XID."
    ) { family in
      for fault in document.faults ?? [] {
        let index = gpus.first { $0.uuid == fault.gpu }?.index
        var labels = ["gpu": index.map { "\($0)" } ?? "", "UUID": fault.gpu, "xid": "\(fault.xid)"]
        labels["GPU_I_ID"] = fault.instance.map { "\($0)" }
        family.sample(labels, Double(fault.count))
      }
    }
    text.family(
      "parva_node_service_healthy", "gauge", "Whether nothing is wrong with an MPS daemon or a server."
    ) { family in
      for service in document.services { family.sample(labels(of: service), service.isUnhealthy ? 0 : 1) }
    }
    text.family(
      "parva_node_service_restarts_total", "counter", "Restarts of an MPS daemon or a server."
    ) { family in
      for service in document.services { family.sample(labels(of: service), Double(service.restarts)) }
    }
  }

  private static func labels(of service: ServiceDocument) -> [String: String] {
    ["kind": service.kind, "uuid": service.uuid, "ordinal": "\(service.ordinal)"]
  }
}
