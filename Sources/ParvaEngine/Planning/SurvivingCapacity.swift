extension Market {
  /// What a draft carries of a workload: all capacities, or those that are left after the losses it is to survive. GPUs
  /// without a node are lost together where nodes are. O(segments).
  func carried(_ workload: Int, by draft: [DraftGPU]) -> Double {
    let survive = input.workloads[workload].constraints.survive
    var domains: [String: Double] = [:]
    var sum = 0.0
    for (index, gpu) in draft.enumerated() {
      for segment in gpu.segments where segment.workload == workload {
        let capacity = capacity(workload, segment.column)
        sum += capacity
        guard let survive else { continue }
        domains[survive.over == .node ? gpu.node ?? "" : "\(index)", default: 0] += capacity
      }
    }
    return survive?.remainder(of: domains.values) ?? sum
  }
}
