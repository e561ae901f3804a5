import Foundation
package import ParvaControl
import ParvaEngine
import ParvaHTTP
package import ParvaWire

/// Nodes as their agents report them.
package enum FleetSamples {
  package static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

  package static func uuid(_ node: String, _ index: Int) -> String { "GPU-\(node)-\(index)" }

  /// A GPU as a driver would show a product of the tables.
  package static func gpu(
    _ node: String, _ index: Int, product name: String = "A100-80GB",
    mig: ObservedMIGMode? = .init(current: true, pending: true),
    instances: [(profile: Int, start: Int)] = []
  ) throws -> ObservedGPU {
    let product = try Samples.product(name)
    return ObservedGPU(
      index: index, uuid: uuid(node, index), board: product.boards.first ?? "NVIDIA \(product.name)", memoryMiB: 81920,
      mig: mig,
      profiles: product.profiles.map { profile in
        ObservedProfile(
          id: profile.driverProfileID, name: profile.name, computeSlices: profile.computeSlices,
          size: profile.placementSize, starts: profile.starts, maxInstances: profile.maxInstances,
          memoryMiB: profile.memoryMiB ?? 0, smCount: profile.smCount ?? 0)
      },
      instances: instances.enumerated().map { id, place in
        ObservedInstance(
          id: id + 1, profileID: place.profile, start: place.start,
          size: product.profileIndex(driverID: place.profile).map { product.profiles[$0].placementSize } ?? 1)
      })
  }

  /// What an agent says of itself; instances are its own unless `foreign`.
  package static func state(
    _ node: String, _ gpus: [ObservedGPU], verified: Int? = nil, foreign: Bool = false, manages: Bool = false
  ) -> NodeStateDocument {
    NodeStateDocument(
      name: node, simulated: true,
      observed: ObservedNode(simulated: true, source: "nvml", driverVersion: "570.0.SIMULATED", gpus: gpus),
      verified: verified.map { VerifiedDocument(revision: $0) },
      owned: foreign
        ? []
        : gpus.flatMap { gpu in
          gpu.instances.map {
            OwnedDocument(gpu: gpu.uuid, profileId: $0.profileID, start: $0.start, instance: $0.id, uuid: $0.uuid)
          }
        },
      services: [], operation: nil, managesMIGMode: manages)
  }

  package static func state(_ node: String, gpus count: Int, product: String = "A100-80GB") throws -> NodeStateDocument
  {
    state(node, try (0..<count).map { try gpu(node, $0, product: product) })
  }

  package static func record(_ name: String, _ state: NodeStateDocument?, zone: String? = nil) -> NodeRecord {
    var record = NodeRecord(
      NodeSpec(address: "http://127.0.0.1:1", webhookSecret: secret, zone: zone), named: name, revision: 1,
      at: Samples.time)
    record.state = state
    record.settled = state
    record.heardAt = state.map { _ in Samples.time }
    return record
  }

  package static func body(_ state: NodeStateDocument) throws -> String {
    String(decoding: try JSONEncoder().encode(state), as: UTF8.self)
  }
}

extension Harness {
  /// Registers a node and sends its first heartbeat.
  package func join(_ state: NodeStateDocument, address: String = "http://127.0.0.1:1", secret: Bool = true)
    async throws
  {
    let secret = secret ? #","webhookSecret":"\#(FleetSamples.secret)""# : ""
    let put = await send("PUT", "/v1/nodes/\(state.name)", body: #"{"address":"\#(address)"\#(secret)}"#)
    guard [200, 201].contains(put.status) else { throw Missing("\(state.name) is not registered: \(put.text)") }
    try await beat(state)
  }

  package func beat(_ state: NodeStateDocument) async throws {
    let answer = await send("POST", "/v1/nodes/\(state.name)/status", body: try FleetSamples.body(state))
    guard answer.status == 200 else { throw Missing("\(state.name) is not heard: \(answer.text)") }
  }
}

extension Harness {
  /// Has a further node hold one segment, whose servers somebody else starts, as if a controller had brought it there.
  package func hold(_ segment: String, on node: String) async throws {
    var state = FleetSamples.state(node, [try FleetSamples.gpu(node, 0, instances: [(profile: 0, start: 0)])])
    state.verified = VerifiedDocument(revision: 1)
    try await join(state)
    let wanted = WantedInstance(
      profileID: 0, start: 0, segment: segment, workload: String(segment.prefix { $0 != "/" }), model: "m", batch: 1,
      processes: 2, capacity: 100, launch: nil)
    let gpu = WantedGPU(uuid: FleetSamples.uuid(node, 0), instances: [wanted])
    controller.nodes.verified(NodeAssignment(revision: 1, gpus: [gpu]), on: node)
    try await controller.nodes.flush()
    try await beat(state)
  }
}
