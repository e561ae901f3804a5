package import Foundation
package import ParvaEngine
import ParvaFormats
package import ParvaWire

/// What each node is told of a plan.
///
/// A node without an entry is told nothing: what stands there stays. That is so for nodes that could not be reached when
/// the plan was made, because the plan knows nothing of them.
package struct NodeSlices: Hashable, Sendable {
  /// By node name; GPUs without segments are not listed.
  package var gpus: [String: [WantedGPU]]

  package init(gpus: [String: [WantedGPU]]) { self.gpus = gpus }

  /// - Parameters:
  ///   - plan: bound to nodes.
  ///   - nodes: all that are registered; those that are drained get an empty slice.
  package init(_ plan: Plan, nodes: some Sequence<NodeRecord>, workloads: RegistrationTable) {
    gpus = [:]
    for node in nodes where [.ready, .draining].contains(NodeCondition(of: node)) { gpus[node.name] = [] }
    for gpu in plan.gpus {
      guard let node = gpu.node, let uuid = gpu.uuid, !gpu.segments.isEmpty else { continue }
      let instances = gpu.segments.map { segment in
        WantedInstance(
          profileID: gpu.product.profiles[segment.profile].driverProfileID, start: segment.start, segment: segment.id,
          workload: segment.workload, model: segment.model, batch: segment.batch, processes: segment.processes,
          capacity: segment.capacity,
          launch: workloads[segment.workload].flatMap { WorkloadReader.launch(of: $0.workload) })
      }
      gpus[node, default: []].append(WantedGPU(uuid: uuid, instances: instances.sorted { $0.place < $1.place }))
    }
    for node in gpus.keys { gpus[node]?.sort { $0.uuid < $1.uuid } }
  }

  package func wanted(_ node: String, revision: Int) -> WantedNode {
    WantedNode(revision: revision, gpus: gpus[node] ?? [])
  }

  // MARK: - As it is stored

  /// The same slices give the same bytes.
  package var data: Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return (try? encoder.encode(gpus)) ?? Data()
  }

  /// Nil for a plan that is bound to no nodes.
  package init?(data: Data) {
    guard !data.isEmpty, let gpus = try? JSONDecoder().decode([String: [WantedGPU]].self, from: data) else {
      return nil
    }
    self.gpus = gpus
  }
}
