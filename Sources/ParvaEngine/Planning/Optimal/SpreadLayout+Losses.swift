extension SpreadLayout {
  /// Most instances that are added to one workload.
  private static let additionLimit = 10_000

  /// What a workload has on its domains, and what of it is left when those that carry most fail.
  private struct Standing {
    var held: [Int: Double] = [:]
    let losses: Int

    /// The domains that may be lost, and the least that one of them carries; 0 while there are fewer.
    var lost: (domains: Set<Int>, least: Double) {
      let first = held.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(losses)
      return (Set(first.map(\.key)), first.count < losses ? 0 : first.last?.value ?? 0)
    }

    var carried: Double { Survival(over: .gpu, losses: losses).remainder(of: held.values) }
  }

  /// Adds instances until the rate survives the losses that the workload asks for: in slots that nobody has where that
  /// helps, else on further GPUs. O(additions x GPUs).
  mutating func secure(_ workload: Int, _ model: PriceModel) {
    let rule = model.rule(workload)
    guard rule.losses > 0 else { return }
    let needed = model.rates[workload] * (1 - CoverSolver.slack)
    var standing = Standing(losses: rule.losses)
    let row = workload * model.columns.count
    for place in places[workload] ?? [] {
      guard let domain = domain(place.gpu, workload) else { continue }
      standing.held[domain, default: 0] += model.capacities[row + gpus[place.gpu].slots[place.slot].column]
    }
    var count = places[workload]?.count ?? 0
    while standing.carried < needed {
      let lost = standing.lost
      patience -= gpus.count
      guard patience > 0, count < min(rule.atMost, Self.additionLimit),
        let place = freeSlot(workload, standing, lost, mustHelp: true, model)
          ?? furtherGPU(workload, lacking: needed - standing.carried, lost.domains, model)
          ?? freeSlot(workload, standing, lost, mustHelp: false, model),
        let domain = domain(place.gpu, workload)
      else {
        isComplete = false
        return
      }
      put(workload, place)
      standing.held[domain, default: 0] += model.capacities[row + gpus[place.gpu].slots[place.slot].column]
      count += 1
    }
  }

  /// The free slot that adds most to what survives, with least capacity beyond that; else one that brings it nearer.
  private func freeSlot(
    _ workload: Int, _ standing: Standing, _ lost: (domains: Set<Int>, least: Double), mustHelp: Bool,
    _ model: PriceModel
  ) -> Place? {
    let row = workload * model.columns.count
    var best: (place: Place, gain: Double, capacity: Double)?
    for gpu in gpus.indices {
      guard gpus[gpu].slots.contains(where: { $0.workload == nil }), let domain = domain(gpu, workload),
        !lost.domains.contains(domain)
      else { continue }
      let there = standing.held[domain] ?? 0
      for (slot, content) in gpus[gpu].slots.enumerated() where content.workload == nil {
        let capacity = model.capacities[row + content.column]
        guard capacity > 0 else { continue }
        let gain = min(there + capacity, lost.least) - there
        guard gain > 1e-12 || !mustHelp else { continue }
        let isBetter = best.map { (gain, $0.capacity) > ($0.gain, capacity) } ?? true
        if isBetter { best = (Place(gpu: gpu, slot: slot), gain, capacity) }
      }
    }
    return best?.place
  }

  /// A slot on a GPU that is opened for it, of the cheapest pool that can serve the workload and has room: the smallest instance
  /// that carries what is lacking, or the largest.
  private mutating func furtherGPU(
    _ workload: Int, lacking: Double, _ lost: Set<Int>, _ model: PriceModel
  ) -> Place? {
    let row = workload * model.columns.count
    var used = [Int](repeating: 0, count: model.pools.count)
    for gpu in gpus where gpu.slots.contains(where: { $0.workload != nil }) { used[gpu.pool] += 1 }
    let byNode = spreads.values.contains { $0.over == .node }
    let serving = model.pools.indices.filter { pool in
      model.pools[pool].columns.contains { model.capacities[row + $0] > 0 }
    }
    let ranked = serving.sorted { a, b in
      let (full, other) = (used[a] >= model.pools[a].stock ?? .max, used[b] >= model.pools[b].stock ?? .max)
      return full != other ? other : (model.pools[a].weight, a) < (model.pools[b].weight, b)
    }
    for pool in ranked {
      let side = model.pools[pool]
      let columns = side.columns.filter { model.capacities[row + $0] > 0 }
      let enough = columns.filter { model.capacities[row + $0] >= lacking }
      let column =
        enough.min { model.capacities[row + $0] < model.capacities[row + $1] }
        ?? columns.max { model.capacities[row + $0] < model.capacities[row + $1] }
      guard let column else { continue }
      var node: String?
      if byNode, !side.nodes.isEmpty {
        let outside =
          spreads[workload]?.over == .node ? Set(nodeNumbers.filter { lost.contains($0.value) }.keys) : []
        node = takeNode(pool, side, outside: outside)
        if node == nil { continue }
      } else if spreads[workload]?.over == .node {
        continue
      }
      let cut = SpreadLayout.emptyCut(holding: column, side)
      guard let own = cut.firstIndex(where: { $0.column == column }) else { continue }
      gpus.append(GPU(pool: pool, node: node, slots: cut))
      return Place(gpu: gpus.count - 1, slot: own)
    }
    return nil
  }
}
