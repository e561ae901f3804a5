/// What a cover has to be beside enough: how many instances it has, and what it carries once some are lost.
///
/// That the domains a workload may lose are instances of their own is a relaxation, as is that instances stand apart: a plan
/// keeps the rule in any case, so bounds from it hold.
struct CoverRule: Hashable, Sendable {
  var atLeast = 1
  var atMost = Int.max
  /// Without this many of its largest instances the cover still carries the rate.
  var losses = 0
  /// What all instances together must carry, as a multiple of the rate: with m domains at most the n largest hold n/m of it.
  var whole = 1.0

  static let plain = CoverRule()

  /// Whether ``CoverSolver`` and ``BoundedCover`` know all of it.
  var isCounted: Bool { atMost == .max && losses == 0 }

  /// Whether one instance fewer matters only by what it carries.
  var isPlain: Bool { isCounted && atLeast == 1 }
}

extension Market {
  /// What a cover of the workload has to be. O(columns + nodes).
  func rule(_ workload: Int) -> CoverRule {
    let constraints = input.workloads[workload].constraints
    guard constraints.domains != nil || constraints.replicas != nil else { return .plain }
    var rule = CoverRule(
      atLeast: max(constraints.domains?.atLeast ?? 1, constraints.replicas?.least ?? 1),
      atMost: constraints.replicas?.most ?? .max, losses: constraints.survive?.losses ?? 0)
    if let survive = constraints.survive {
      let domains = domainCount(workload, survive.over)
      if domains != .max, domains > survive.losses {
        rule.whole = Double(domains) / Double(domains - survive.losses)
      }
    }
    return rule
  }

  /// Failure domains in the pools that can serve the workload; `Int.max` without a limit. O(columns + nodes).
  func domainCount(_ workload: Int, _ over: Spread.Domain) -> Int {
    let serving = input.pools.indices.filter { poolColumns[$0].contains { capacity(workload, $0) > 0 } }
    switch over {
    case .node:
      return Set(serving.flatMap { input.pools[$0].nodes.filter { $0.count > 0 }.map(\.name) }).count
    case .gpu:
      return serving.contains { input.pools[$0].count == nil }
        ? .max : serving.reduce(0) { $0 + (input.pools[$1].count ?? 0) }
    }
  }
}
