import Foundation
package import ParvaEngine

/// Random demand around the published scenarios: models drawn evenly, rates log-normal around a scenario's rate of the
/// model, SLOs 0.8 to 2 times the scenario's. The same seed gives the same demand.
package struct Generator {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func workloads(_ count: Int, from scenarios: [[Workload]]) -> [Workload] {
    let byModel = Dictionary(grouping: scenarios.flatMap { $0 }, by: \.model).sorted { $0.key < $1.key }.map(\.value)
    return (0..<count).map { index in
      let known = byModel[Int(next() % UInt64(byModel.count))]
      let base = known[Int(next() % UInt64(known.count))]
      let normal = normal()
      return Workload(
        id: "w\(index)", model: base.model, rate: base.rate * exp(0.5 * normal),
        sloLatencyMs: base.sloLatencyMs * (0.8 + 1.2 * uniform()))
    }
  }

  /// The same workloads, an even share of them at other rates: log-normal factors of sigma 0.2.
  package mutating func changed(_ workloads: [Workload], share: Double) -> [Workload] {
    var changed = workloads
    var order = Array(workloads.indices)
    for place in 0..<max(1, Int((share * Double(workloads.count)).rounded())) {
      order.swapAt(place, place + Int(next() % UInt64(order.count - place)))
      changed[order[place]].rate *= exp(0.2 * normal())
    }
    return changed
  }

  package mutating func normal() -> Double {
    (-2 * log(1 - uniform())).squareRoot() * cos(2 * .pi * uniform())
  }

  /// From 0 to below `count`.
  package mutating func number(below count: Int) -> Int { Int(next() % UInt64(count)) }

  private mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// SplitMix64.
  private mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
