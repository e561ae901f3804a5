/// The figures by which plans are compared.
public enum PlanMetrics {
  /// Counts GPUs and slices, fragmentation, slack and sums of figures of a set of GPUs. O(segments).
  ///
  /// External fragmentation is 1 - allocated slices / compute slices of the GPUs in use; internal slack is
  /// 1 - sum(slices x load / capacity) / allocated slices (SC'24, section 6).
  public static func summary(of gpus: [PlannedGPU], pools: [Pool], profileSource: ProfileSource) -> PlanSummary {
    let used = gpus.filter { !$0.segments.isEmpty }
    var allocated = 0
    var offered = 0
    var working = 0.0
    for gpu in used {
      offered += gpu.product.computeSlices
      for segment in gpu.segments {
        let slices = gpu.product.profiles[segment.profile].computeSlices
        allocated += slices
        working += Double(slices) * segment.load / segment.capacity
      }
    }
    return PlanSummary(
      gpuCount: used.count, allocatedSlices: allocated,
      externalFragmentation: offered == 0 ? 0 : 1 - Double(allocated) / Double(offered),
      internalSlack: allocated == 0 ? 0 : max(0, 1 - working / Double(allocated)),
      sums: sums(of: used, pools), profileSource: profileSource)
  }

  /// Sums over GPUs by objective, without those that the pool of one of them does not state.
  private static func sums(of gpus: [PlannedGPU], _ pools: [Pool]) -> [String: Double] {
    var counts: [String: Double] = [:]
    for gpu in gpus { counts[gpu.pool, default: 0] += 1 }
    let used = pools.filter { counts[$0.name] != nil }
    guard !used.isEmpty, used.count == counts.count else { return [:] }
    var sums: [String: Double] = [:]
    for objective in PlanObjective.summed {
      let weights = used.compactMap(objective.weight)
      guard weights.count == used.count else { continue }
      sums[objective.name] = zip(used, weights).reduce(0) { $0 + $1.1 * (counts[$1.0.name] ?? 0) }
    }
    return sums
  }
}
