import ParvaEngine

/// How many segments change between two plans, worked out from the plans alone.
enum ChangeCount {
  private struct Stand: Hashable {
    var workload: String
    var ordinal: Int
    var uuid: String
    var profile: Int
    var start: Int
    var batch: Int
    var processes: Int
  }

  /// Per workload the larger number of segments, less those that stand on the same GPU at the same place with the same
  /// point. GPUs are told apart by UUID.
  static func between(_ old: Plan, _ new: Plan) -> Int {
    let kept = stands(old).intersection(stands(new)).count
    let (before, after) = (counts(old), counts(new))
    return Set(before.keys).union(after.keys).reduce(0) { $0 + max(before[$1] ?? 0, after[$1] ?? 0) } - kept
  }

  /// The plan bound to real GPUs, so that identity can be told.
  static func bound(_ plan: Plan) -> Plan {
    var plan = plan
    for index in plan.gpus.indices where plan.gpus[index].uuid == nil {
      plan.gpus[index].node = "node-\(index / 8)"
      plan.gpus[index].uuid = "GPU-\(index)"
    }
    return plan
  }

  /// A plan made from a bound one, with its new GPUs bound to further real ones.
  static func named(_ plan: Plan) -> Plan {
    var plan = plan
    for index in plan.gpus.indices where plan.gpus[index].uuid == nil {
      plan.gpus[index].node = "node-new"
      plan.gpus[index].uuid = "GPU-new-\(index)-\(plan.gpus.count)"
    }
    return plan
  }

  private static func stands(_ plan: Plan) -> Set<Stand> {
    Set(
      plan.gpus.enumerated().flatMap { index, gpu in
        gpu.segments.map {
          Stand(
            workload: $0.workload, ordinal: $0.ordinal, uuid: gpu.uuid ?? "new-\(index)", profile: $0.profile,
            start: $0.start, batch: $0.batch, processes: $0.processes)
        }
      })
  }

  static func counts(_ plan: Plan) -> [String: Int] {
    plan.gpus.flatMap(\.segments).reduce(into: [:]) { $0[$1.workload, default: 0] += 1 }
  }
}
