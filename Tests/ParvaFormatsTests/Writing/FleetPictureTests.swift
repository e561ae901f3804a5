import ParvaWire
import Testing

@testable import ParvaFormats

@Suite struct FleetPictureTests {
  private static func gpu(
    _ index: Int, _ instances: [NodeResource.Instance] = [], reason: String? = nil, message: String? = nil
  ) -> NodeResource.GPU {
    NodeResource.GPU(
      index: index, uuid: "GPU-\(index)", board: "NVIDIA A100-SXM4-80GB", product: "A100-80GB", pool: nil,
      memoryMiB: 81920, memorySlices: 8, migMode: "enabled", usable: reason == nil, reason: reason, message: message,
      instances: instances)
  }

  @Test func aNodeIsDrawnWithItsInstancesAndWhatIsLeftOut() {
    let instances = [
      NodeResource.Instance(
        profile: "4g.40gb", profileId: 5, start: 0, size: 4, uuid: nil, owned: true, workload: "resnet50"),
      NodeResource.Instance(
        profile: "1g.10gb", profileId: 19, start: 6, size: 1, uuid: nil, owned: true, workload: "bert"),
    ]
    let foreign = NodeResource.Instance(
      profile: "3g.40gb", profileId: 9, start: 4, size: 4, uuid: nil, owned: false, workload: nil)
    let status = NodeResource.Status(
      state: "ready", lastHeartbeat: nil, simulated: true, driverVersion: nil, verifiedRevision: 5, degraded: nil,
      usableGPUs: 2,
      gpus: [
        Self.gpu(0, instances), Self.gpu(1), Self.gpu(2, [foreign], reason: "foreign_instances", message: "not ours"),
      ], services: 0, unhealthyServices: 0)
    let node = NodeResource(
      name: "gpu-1", address: "http://x:1", hasWebhookSecret: true, webhookSecretRef: nil, zone: "rack-1", labels: [:],
      revision: 1, createdAt: "", updatedAt: "", status: status)
    let text = FleetPicture(NodeList(nodes: [node]), style: TextStyle(width: 80, unicode: false)).text()
    let lines = text.split(separator: "\n").map(String.init)
    #expect(
      lines.first
        == "gpu-1 (simulated: no hardware) - ready - zone rack-1 - plan revision 5 verified - 3 GPUs, 3 instances")
    for part in ["resnet50", "4g.40gb", "bert", "1g.10gb", "foreign", "3g.40gb"] {
      #expect(text.contains(part), "\(part)")
    }
    #expect(
      lines.suffix(2) == ["1 GPU free", "GPU 2 is left out of plans: not ours [foreign_instances]"])
    #expect(FleetPicture(NodeList(nodes: []), style: TextStyle()).text() == "No node is registered.\n")
  }
}
