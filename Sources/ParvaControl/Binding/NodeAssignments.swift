package import Foundation
package import ParvaEngine
import ParvaFormats
package import ParvaWire

/// What each node is told of a plan.
///
/// A node that is not among ``nodes`` is told nothing: what stands there stays. That is so for nodes that were lost when
/// the plan was made, because the plan knows nothing of them.
package struct NodeAssignments: Hashable, Sendable {
  /// By node name; nodes and GPUs without segments are not listed. It is the part that makes a plan another one for nodes.
  package var gpus: [String: [WantedGPU]]
  /// Every node that the plan speaks of, by name: one that is not listed in ``gpus`` is to hold nothing.
  package var nodes: [String]

  package init(gpus: [String: [WantedGPU]], nodes: some Sequence<String> = []) {
    self.gpus = gpus.filter { !$0.value.isEmpty }
    self.nodes = Set(nodes).union(gpus.keys).sorted()
  }

  /// - Parameters:
  ///   - plan: bound to nodes.
  ///   - nodes: all that are registered; those that are drained are to hold nothing.
  package init(_ plan: Plan, nodes: some Sequence<NodeRecord>, workloads: RegistrationTable) {
    var gpus: [String: [WantedGPU]] = [:]
    for gpu in plan.gpus {
      guard let node = gpu.node, let uuid = gpu.uuid, !gpu.segments.isEmpty else { continue }
      let instances = gpu.segments.map { segment in
        let workload = workloads[segment.workload]?.workload
        let launch = workload.flatMap { WorkloadReader.launch(of: $0) }
        // Said only where it makes a difference, which nodes of older versions do not know.
        let isShared = launch != nil && segment.processes > 1 && workload?.queue == .shared
        return WantedInstance(
          profileID: gpu.product.profiles[segment.profile].driverProfileID, start: segment.start, segment: segment.id,
          workload: segment.workload, model: segment.model, batch: segment.batch, processes: segment.processes,
          capacity: segment.capacity,
          launch: launch, queue: isShared ? .shared : nil)
      }
      gpus[node, default: []].append(WantedGPU(uuid: uuid, instances: instances.sorted { $0.place < $1.place }))
    }
    for node in gpus.keys { gpus[node]?.sort { $0.uuid < $1.uuid } }
    let told = nodes.filter { ![.pending, .lost].contains(NodeCondition(of: $0)) }
    self.init(gpus: gpus, nodes: told.map(\.name))
  }

  /// What conditions of nodes go by.
  func planned(revision: Int) -> PlannedNodes { PlannedNodes(revision: revision, wanted: gpus, told: Set(nodes)) }

  package func wanted(_ node: String, revision: Int) -> NodeAssignment {
    NodeAssignment(revision: revision, gpus: gpus[node] ?? [])
  }

  // MARK: - As it is stored

  /// The same assignments give the same bytes.
  package var data: Data {
    (try? WireWriter.json(gpus)) ?? Data()
  }

  /// Nil for a plan that is bound to no nodes. Nodes that hold nothing are not stored.
  package init?(data: Data) {
    guard !data.isEmpty, let gpus = try? JSONDecoder().decode([String: [WantedGPU]].self, from: data) else {
      return nil
    }
    self.init(gpus: gpus)
  }

  /// The same, told to these nodes too, but for those that are not to be told anything.
  func told(to nodes: some Sequence<NodeRecord>) -> Self {
    Self(gpus: gpus, nodes: nodes.filter { ![.pending, .lost].contains(NodeCondition(of: $0)) }.map(\.name))
  }
}
