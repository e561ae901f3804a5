/// Several namespaces share scarce GPUs by weight, within one priority: the demand with priorities that tell turns.
///
/// Planners serve by priority, and within one by what a GPU can serve, whosever it is. Here all workloads of a priority of which several
/// namespaces have some get priorities of their own, in the order of ``FairTurns``; what may be served in part asks for its share
/// alone. Where everything fits, a plan is the same as without. Higher priorities come first in any case.
public struct FairShare: Sendable {
  /// In the order of the input.
  public let workloads: [Workload]
  /// What those of them ask for that are held to a part, by id, in requests per second.
  private var asked: [String: Double] = [:]
  /// Why a workload of several namespaces' priority is left out, by id; of priorities for which there is enough, none.
  private var reasons: [String: String] = [:]

  private static let mark = "; by fair share "

  /// O(workloads x (columns x slices^2 + log workloads)) where several namespaces have workloads of one priority and the stock of
  /// GPUs is bounded, else O(workloads).
  public init(_ input: PlanningInput, _ context: PlanningContext) {
    let weights = Dictionary(input.shares.map { ($0.namespace, $0.weight) }, uniquingKeysWith: { first, _ in first })
    let stock = input.pools.compactMap(\.count)
    guard weights.count > 1, stock.count == input.pools.count, Self.isShared(input.workloads) else {
      workloads = input.workloads
      return
    }
    var alone = input
    alone.current = nil
    let market = Market(alone, context)
    var shared = input.workloads
    var (left, rank) = (Double(stock.reduce(0, +)), input.workloads.count)
    let levels = Dictionary(grouping: shared.indices) { input.workloads[$0].priority }
    for (_, level) in levels.sorted(by: { $0.key > $1.key }) {
      let claims = level.map { index in
        let workload = input.workloads[index]
        return FairTurns.Claim(
          id: workload.id, namespace: workload.namespace, need: market.leastShare(of: index),
          isDivisible: workload.allowsPartial)
      }
      let needed = claims.reduce(0) { $0 + $1.need }
      guard claims.contains(where: { $0.namespace != claims[0].namespace }) else {
        for index in level { shared[index].priority = rank }
        (left, rank) = (max(0, left - needed), rank - 1)
        continue
      }
      let turns = FairTurns(claims, weights: weights, capacity: left)
      for claim in turns.order {
        shared[level[claim]].priority = rank
        rank -= 1
      }
      if needed > left {
        let all = Set(claims.map(\.namespace)).reduce(0) { $0 + (weights[$1] ?? 1) }
        for (claim, index) in level.enumerated() {
          let (name, id) = (claims[claim].namespace, shared[index].id)
          reasons[id] =
            Self.mark
            + "the namespace \(name) (weight \(Self.text(weights[name] ?? 1)) of \(Self.text(all))) has a right to "
            + "\(Self.text(turns.shares[name] ?? 0)) of \(Self.text(left)) GPUs, and with this it would need "
            + Self.text(turns.reached[claim])
          let (need, got) = (claims[claim].need, turns.granted[claim])
          if claims[claim].isDivisible, got > need * Tolerance.relative, got < need {
            asked[id] = shared[index].rate
            shared[index].rate *= got / need
          }
        }
      }
      left = max(0, left - turns.granted.reduce(0, +))
    }
    workloads = shared
  }

  /// Whether some priority is that of workloads of several namespaces. O(workloads).
  private static func isShared(_ workloads: [Workload]) -> Bool {
    var first: [Int: String] = [:]
    return workloads.contains { workload in
      let name = workload.namespace
      defer { first[workload.priority] = first[workload.priority] ?? name }
      return first[workload.priority].map { $0 != name } ?? false
    }
  }

  /// A plan as planners may be given it as the one in force: without what ``joined(to:)`` has added. O(workloads).
  public static func plain(_ plan: Plan) -> Plan {
    var plan = plan
    plan.partial.removeAll { $0.message.hasPrefix(mark.dropFirst(2)) }
    for index in plan.unplaced.indices { plan.unplaced[index].message = unmarked(plan.unplaced[index].message) }
    for index in plan.partial.indices { plan.partial[index].message = unmarked(plan.partial[index].message) }
    return plan
  }

  private static func unmarked(_ message: String) -> String {
    message.firstRange(of: mark).map { String(message[..<$0.lowerBound]) } ?? message
  }

  /// The plan of ``workloads``, as one of the demand as it was given. O(workloads log workloads).
  public func joined(to plan: Plan) -> Plan {
    guard !reasons.isEmpty else { return plan }
    var plan = plan
    for index in plan.unplaced.indices where plan.unplaced[index].code == .noStock {
      plan.unplaced[index].message += reasons[plan.unplaced[index].workload] ?? ""
    }
    for index in plan.partial.indices {
      let id = plan.partial[index].workload
      plan.partial[index].demanded = asked[id] ?? plan.partial[index].demanded
      plan.partial[index].message += reasons[id] ?? ""
    }
    let known = Set(plan.partial.map(\.workload)).union(plan.unplaced.map(\.workload))
    let held = workloads.compactMap { workload -> PartialService? in
      guard let asked = asked[workload.id], !known.contains(workload.id) else { return nil }
      return PartialService(
        workload: workload.id, demanded: asked, served: workload.rate, code: .noStock,
        message: String((reasons[workload.id] ?? "").dropFirst(2)))
    }
    guard !held.isEmpty else { return plan }
    plan.partial = (plan.partial + held).sorted { $0.workload < $1.workload }
    if plan.status == .optimal { plan.status = .feasible }
    return plan
  }

  private static func text(_ value: Double) -> String { ((value * 1000).rounded() / 1000).shortText }
}
