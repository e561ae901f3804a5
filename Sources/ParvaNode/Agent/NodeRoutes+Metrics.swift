import Foundation
import ParvaHTTP
import ParvaServing
import ParvaWire

extension NodeRoutes {
  /// Prometheus text. Labels follow those of NVIDIA's DCGM exporter where it has them, so that its series of the same GPU can
  /// be joined. Every family is written always; docs/metrics.md lists them.
  func metrics(_ request: HTTPRequest) async throws -> HTTPResponse {
    try admit(request)
    let document = try? await agent.document()
    var text = MetricsText()
    text.build(Version.current)
    text.single("parva_node_up", "gauge", "Whether the driver answers.", document == nil ? 0 : 1)
    text.single(
      "parva_node_simulated", "gauge", "Whether no hardware is behind the driver.", agent.simulated ? 1 : 0)
    writeNode(document, to: &text)
    writeGPUs(document, to: &text)
    writeInstances(document, to: &text)
    writeServices(document?.services ?? [], document?.observed.gpus ?? [], to: &text)
    writeOperations(to: &text)
    Tracer.write(agent.tracer, to: &text)
    server.write(to: &text)
    ProcessFigures.write(to: &text)
    return .metrics(text.text)
  }

  private func writeNode(_ document: NodeStateDocument?, to text: inout MetricsText) {
    text.family("parva_node_info", "gauge", "1, labelled with the node's name and its driver.") { family in
      guard let document else { return }
      family.sample(
        [
          "node": document.name, "driver": document.observed.source,
          "driver_version": document.observed.driverVersion, "cuda_version": document.observed.cudaVersion ?? "",
        ], 1)
    }
    text.single(
      "parva_node_verified_revision", "gauge", "Plan revision that was last read back as wanted.",
      (document?.verified?.revision).map(Double.init))
    text.single(
      "parva_node_accepted_revision", "gauge", "Newest plan revision that the node has accepted.",
      (document?.accepted).map(Double.init))
    text.single(
      "parva_node_degraded", "gauge", "Whether the GPUs are known to differ from the verified plan.",
      document.map { $0.verified?.degraded == nil ? 0 : 1 })
  }

  // MARK: - GPUs

  private static let host = ProcessInfo.processInfo.hostName

  /// DCGM's labels of a GPU.
  private static func labels(of gpu: ObservedGPU) -> [String: String] {
    [
      "gpu": "\(gpu.index)", "UUID": gpu.uuid, "pci_bus_id": gpu.pciBusID ?? "",
      "device": "nvidia\(gpu.minor ?? gpu.index)", "model_name": gpu.board, "Hostname": host,
    ]
  }

  /// DCGM's labels of the GPU with this UUID; of one that the driver does not list, what is known.
  private static func labels(of uuid: String, among gpus: [ObservedGPU]) -> [String: String] {
    gpus.first { $0.uuid == uuid }.map(labels(of:))
      ?? ["gpu": "", "UUID": uuid, "pci_bus_id": "", "device": "", "model_name": "", "Hostname": host]
  }

  private func writeGPUs(_ document: NodeStateDocument?, to text: inout MetricsText) {
    let gpus = document?.observed.gpus ?? []
    text.family("parva_node_gpu_faulty", "gauge", "Whether a GPU does not answer.") { family in
      for gpu in gpus { family.sample(Self.labels(of: gpu), gpu.fault == nil ? 0 : 1) }
    }
    text.family("parva_node_gpu_mig_enabled", "gauge", "Whether MIG mode is on.") { family in
      for gpu in gpus where gpu.fault == nil { family.sample(Self.labels(of: gpu), gpu.mig?.current == true ? 1 : 0) }
    }
    text.family("parva_node_gpu_memory_bytes", "gauge", "Memory of a GPU.") { family in
      for gpu in gpus {
        if let memory = gpu.memoryMiB { family.sample(Self.labels(of: gpu), Double(memory) * 1_048_576) }
      }
    }
    text.family("parva_node_gpu_slices", "gauge", "Compute slices of a GPU, by whether an instance holds them.") {
      for gpu in gpus {
        guard let all = gpu.profiles.map(\.computeSlices).max() else { continue }
        let allocated = gpu.instances.reduce(0) { $0 + (gpu.profile(id: $1.profileID)?.computeSlices ?? 0) }
        let labels = Self.labels(of: gpu)
        $0.sample(labels.merging(["state": "allocated"]) { $1 }, Double(allocated))
        $0.sample(labels.merging(["state": "free"]) { $1 }, Double(max(0, all - allocated)))
      }
    }
    text.family(
      "parva_node_lost_instances", "gauge", "Instances that Parva made on a GPU that does not answer."
    ) { family in
      for lost in document?.lost ?? [] {
        family.sample(Self.labels(of: lost.gpu, among: gpus), Double(lost.instances.count))
      }
    }
    text.family(
      "parva_node_xid_errors_total", "counter", "Errors that a GPU reported since the agent began, by XID."
    ) { family in
      for fault in document?.faults ?? [] {
        var labels = Self.labels(of: fault.gpu, among: gpus)
        labels["xid"] = "\(fault.xid)"
        labels["GPU_I_ID"] = fault.instance.map { "\($0)" }
        family.sample(labels, Double(fault.count))
      }
    }
  }

  private func writeInstances(_ document: NodeStateDocument?, to text: inout MetricsText) {
    let instances = (document?.observed.gpus ?? []).flatMap { gpu in
      gpu.instances.map { instance in
        let labels = Self.labels(of: gpu).merging([
          "GPU_I_ID": "\(instance.id)",
          "GPU_I_PROFILE": gpu.profile(id: instance.profileID)?.name ?? "\(instance.profileID)",
          "start": "\(instance.start)",
        ]) { $1 }
        return (gpu: gpu.uuid, instance: instance, labels: labels)
      }
    }
    text.family("parva_node_instance_owned", "gauge", "GPU instances; 1 for those that Parva made.") { family in
      for (gpu, instance, labels) in instances {
        let isOurs = document?.owned.contains { $0.gpu == gpu && $0.instance == instance.id } ?? false
        family.sample(labels, isOurs ? 1 : 0)
      }
    }
    text.family(
      "parva_node_instance_processes", "gauge",
      "Processes that the driver lists on a GPU instance, where it tells them."
    ) { family in
      for (_, instance, labels) in instances
      where instance.unreadable == nil && instance.computes.allSatisfy({ $0.processesUnknown == nil }) {
        family.sample(labels, Double(instance.computes.reduce(0) { $0 + $1.processes.count }))
      }
    }
  }

  // MARK: - Services

  private func writeServices(_ services: [ServiceDocument], _ gpus: [ObservedGPU], to text: inout MetricsText) {
    text.family("parva_node_services", "gauge", "MPS daemons and servers, by status.") { family in
      for kind in ["mps", "server"] {
        for status in ["starting", "healthy", "unhealthy", "stopping", "waiting", "failed", "absent"] {
          let count = services.count { $0.kind == kind && $0.status == status }
          family.sample(["kind": kind, "status": status], Double(count))
        }
      }
    }
    func labels(of service: ServiceDocument) -> [String: String] {
      Self.labels(of: service.gpu, among: gpus).merging([
        "kind": service.kind, "mig_uuid": service.uuid, "ordinal": "\(service.ordinal)",
        "workload": service.workload ?? "",
      ]) { $1 }
    }
    text.family(
      "parva_node_service_healthy", "gauge", "Whether nothing is wrong with an MPS daemon or a server."
    ) { family in
      for service in services { family.sample(labels(of: service), service.isUnhealthy ? 0 : 1) }
    }
    text.family(
      "parva_node_service_restarts_total", "counter", "Restarts of an MPS daemon or a server."
    ) { family in
      for service in services { family.sample(labels(of: service), Double(service.restarts)) }
    }
  }

  private func writeOperations(to text: inout MetricsText) {
    let outcomes = agent.operations.outcomes
    text.family("parva_node_applies_total", "counter", "Applies by their end.") { family in
      for status in NodeOperationDocument.Status.allCases where status.isOver {
        family.sample(["status": status.rawValue], Double(outcomes[status] ?? 0))
      }
    }
    text.family("parva_node_apply_duration_seconds", "histogram", "Time from the beginning of an apply to its end.") {
      $0.histogram([:], agent.operations.durations)
    }
    let talks = link.totals
    text.family("parva_node_heartbeats_total", "counter", "Talks with the controller, by what came of them.") {
      for outcome in LinkCounters.outcomes { $0.sample(["outcome": outcome], Double(talks.outcomes[outcome] ?? 0)) }
    }
    text.single(
      "parva_node_heartbeat_timestamp_seconds", "gauge",
      "When the controller last took a heartbeat, in seconds since 1970.", talks.lastAccepted?.timeIntervalSince1970)
  }
}
