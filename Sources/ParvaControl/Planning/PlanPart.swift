import ParvaEngine
import ParvaFormats

/// What a plan tells one namespace: a digest of it, and since when it has been so.
package struct PlanPart: Hashable, Sendable {
  var digest: UInt64
  /// The first plan in a row that tells the namespace this.
  package var since: Int
  /// Its workloads that are left out.
  var unplaced = 0

  /// The parts of a plan, where it has any for others than ``Namespace/standard``. O(segments).
  static func parts(of plan: Plan, _ revision: Int) -> [String: PlanPart] {
    let isShared =
      plan.gpus.contains { $0.segments.contains { Namespace.isQualified($0.workload) } }
      || plan.unplaced.contains { Namespace.isQualified($0.workload) }
    guard isShared else { return [:] }
    // In whatever order: GPUs are numbered by what others have on them, too.
    var sums: [String: UInt64] = [:]
    func add(_ workload: String, _ text: String) {
      sums[Namespace.of(workload), default: 0] &+= StableHash.value(of: text)
    }
    for gpu in plan.gpus {
      for segment in gpu.segments {
        add(
          segment.workload,
          "\(segment.id) \(segment.model) \(gpu.product.name) \(segment.profile) \(segment.batch) \(segment.processes) "
            + "\(segment.capacity) \(segment.load) \(segment.latencyMs)")
      }
    }
    for unserved in plan.unplaced {
      add(
        unserved.workload,
        "\(unserved.workload) \(unserved.code.rawValue) \(unserved.code == .quotaExceeded ? unserved.message : "")")
    }
    for service in plan.partial {
      add(service.workload, "\(service.workload) \(service.served) \(service.code.rawValue)")
    }
    let unplaced = plan.unplaced.reduce(into: [:]) { $0[Namespace.of($1.workload), default: 0] += 1 }
    return sums.reduce(into: [:]) { parts, sum in
      parts[sum.key] = PlanPart(digest: sum.value, since: revision, unplaced: unplaced[sum.key] ?? 0)
    }
  }

  /// Those of a newer plan, each since it has been as it is. What a namespace had and has no more is a part, too.
  static func parts(_ newer: [String: PlanPart], after older: [String: PlanPart], _ revision: Int) -> [String: PlanPart]
  {
    var parts = newer
    for (name, old) in older {
      if let new = parts[name] {
        if new.digest == old.digest { parts[name] = old }
      } else {
        parts[name] = old.digest == 0 ? old : PlanPart(digest: 0, since: revision)
      }
    }
    return parts
  }
}
