/// Judges capacities of rule `certified` by ``ReferenceRun``: the rule as docs/admission.md states it, in code of its own.
final class CertifiedJudge: CapacityJudge {
  /// Segments that run alike at one load.
  private struct Group: Hashable {
    var table: ObjectIdentifier
    var server: Int
    var load: Int?
  }

  /// Share by which a claim may exceed a capacity: far above rounding, far below a step of the grid of loads.
  private static let tolerance = 1e-6

  private var tables: ReferenceTables
  /// For workloads that declare none of their own.
  private let usualMargin: Double

  init(_ input: PlanningInput) {
    tables = ReferenceTables(input)
    usualMargin = input.options.margin
  }

  /// Segments that run alike are judged together, the tightest objective first: whoever keeps it keeps the looser ones.
  /// O(claims log claims), and a run for each way to run that is not in memory.
  func faults(_ claims: [CapacityClaim], _ context: PlanningContext) -> [CapacityFault?] {
    var faults = [CapacityFault?](repeating: nil, count: claims.count)
    let asked = claims.map { claim -> (table: ReferenceTable, server: Int)? in
      tables.table(claim.workload, claim.profile, instance: claim.point.profile).flatMap { table in
        table.server(batch: claim.point.batch, processes: claim.point.processes).map { (table, $0) }
      }
    }
    let objectives = claims.map(\.workload.sloLatencyMs)
    let ranked = objectives.indices.sorted { objectives[$0] < objectives[$1] }
    let loads = claims.indices.map { index in
      asked[index].flatMap { table, server in
        table.load(
          server, rate: claims[index].capacity * (1 + margin(of: claims[index].workload)) * (1 - Self.tolerance))
      }
    }
    // What tells of each group is found out side by side; then it is in memory.
    var begun: Set<Group> = []
    let first = ranked.filter { index in
      guard let (table, server) = asked[index], let load = loads[index] else { return false }
      return begun.insert(Group(table: ObjectIdentifier(table), server: server, load: load)).inserted
    }
    context.forEach(first.count) { number in
      guard let (table, server) = asked[first[number]], let load = loads[first[number]] else { return }
      _ = table.keeps(ReferenceGrid.objective(objectives[first[number]]), server, load: load)
    }
    var isKept: Set<Group> = []
    for index in ranked {
      let claim = claims[index]
      guard let (table, server) = asked[index] else {
        faults[index] = missed(claim)
        continue
      }
      let margin = margin(of: claim.workload)
      let load = loads[index]
      let group = Group(table: ObjectIdentifier(table), server: server, load: load)
      guard !isKept.contains(group) else { continue }
      let objective = ReferenceGrid.objective(claim.workload.sloLatencyMs)
      if let load, table.keeps(objective, server, load: load) {
        isKept.insert(group)
      } else {
        let capacity = table.capacity(server, objective) / (1 + margin)
        guard claim.capacity > capacity * (1 + Self.tolerance) else { continue }
        faults[index] =
          capacity == 0
          ? missed(claim)
          : .overCapacity(
            "capacity \(claim.capacity), and the SLO of \(claim.workload.sloLatencyMs) ms is certified up to \(capacity)"
          )
      }
    }
    return faults
  }

  func most(_ workload: Workload, _ profile: ModelProfile, maxProcesses: Int) -> [Int: Double] {
    let objective = ReferenceGrid.objective(workload.sloLatencyMs)
    var most: [Int: Double] = [:]
    for instance in Set(profile.points.map(\.profile)) {
      guard let table = tables.table(workload, profile, instance: instance) else { continue }
      most[instance] = table.most(objective, maxProcesses: maxProcesses) / (1 + margin(of: workload))
    }
    return most
  }

  private func margin(of workload: Workload) -> Double { workload.margin ?? usualMargin }

  private func missed(_ claim: CapacityClaim) -> CapacityFault {
    .sloMissed(
      "at no load does the point keep \(claim.workload.percentile) of the requests within "
        + "\(claim.workload.sloLatencyMs) ms")
  }
}
