import ParvaEngine
import ParvaWire

/// What stands on nodes that are silent and not lost: it stays where it is, and nothing new is to be planned there. Pure.
///
/// A short silence is no reason to plan anything anew. Where a plan would put something new on a silent node, it is made again
/// with all of them left as they are.
struct SilentGPUs: Sendable {
  /// By UUID.
  private var standing: [String: Set<SegmentJob>] = [:]
  /// The silent nodes with GPUs that plans may use.
  private(set) var nodes: Set<String> = []

  /// - Parameter inForce: the plan in force, for nodes of which it is not known what stands on them.
  /// - Complexity: O(GPUs), and O(segments) where nodes are silent.
  init(on fleet: Fleet, inForce: Plan?) {
    let silent = fleet.inventory.gpus.filter {
      $0.exclusion == nil && fleet.nodes[$0.node]?.isUnreachable == true
    }
    guard !silent.isEmpty else { return }
    nodes = Set(silent.map(\.node))
    let planned = Dictionary(
      (inForce?.gpus ?? []).compactMap { gpu in gpu.uuid.map { ($0, gpu) } }, uniquingKeysWith: { first, _ in first })
    for gpu in silent {
      if let known = fleet.nodes[gpu.node]?.standing {
        let instances = known.first { $0.uuid == gpu.uuid }?.instances ?? []
        standing[gpu.uuid] = Set(instances.compactMap { SegmentJob($0) })
      } else {
        standing[gpu.uuid] = planned[gpu.uuid]?.jobs ?? []
      }
    }
  }

  /// Whether a bound plan puts something on a silent node that does not stand there.
  func takeNew(in plan: Plan) -> Bool {
    plan.gpus.contains { gpu in
      guard let there = gpu.uuid.flatMap({ standing[$0] }) else { return false }
      return !gpu.jobs.isSubset(of: there)
    }
  }

  /// The plan in force with nothing on silent nodes but what stands there.
  func rest(of inForce: Plan?) -> Plan? {
    guard var plan = inForce else { return nil }
    for index in plan.gpus.indices {
      guard let there = plan.gpus[index].uuid.flatMap({ standing[$0] }) else { continue }
      let gpu = plan.gpus[index]
      plan.gpus[index].segments = gpu.segments.filter { there.contains(SegmentJob($0, on: gpu)) }
    }
    plan.gpus.removeAll(where: \.segments.isEmpty)
    return plan
  }

  /// The fleet with silent nodes as they are: what holds nothing is left out.
  func rest(of fleet: FleetInventory, holding inForce: Plan?) -> FleetInventory {
    let held = Set((inForce?.gpus ?? []).compactMap(\.uuid).filter { standing[$0] != nil })
    return fleet.holding(held).leaving(out: Set(standing.keys).subtracting(held))
  }
}
