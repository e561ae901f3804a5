/// The figures by which plans are compared.
public enum PlanMetrics {
  /// Counts GPUs and slices, fragmentation, slack, cost and watts of a set of GPUs. O(segments).
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
      cost: total(of: used, pools, \.hourlyCost), watts: total(of: used, pools, \.watts), profileSource: profileSource)
  }

  /// Sum of a figure over GPUs; nil where the pool of one of them does not state it.
  private static func total(of gpus: [PlannedGPU], _ pools: [Pool], _ figure: KeyPath<Pool, Double?>) -> Double? {
    var byName: [String: Double] = [:]
    for pool in pools { byName[pool.name] = pool[keyPath: figure] }
    var sum = 0.0
    for gpu in gpus {
      guard let value = byName[gpu.pool] else { return nil }
      sum += value
    }
    return gpus.isEmpty ? nil : sum
  }
}
