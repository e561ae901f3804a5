extension Market {
  /// Why a workload can never be spread as it asks, whatever else is served; nil where it can. O(columns + nodes).
  func spreadRefusal(_ workload: Int) -> Unserved? {
    let demand = input.workloads[workload]
    guard let spread = demand.constraints.domains else { return nil }
    let domains = domainCount(workload, spread.over)
    guard domains < spread.atLeast else { return nil }
    let unit = spread.over == .node ? "node" : "GPU"
    let losses = demand.constraints.survive?.losses ?? 0
    let reason =
      spread.atLeast == losses + 1
      ? "to survive the loss of \(losses) \(unit)\(losses == 1 ? "" : "s") the workload needs \(spread.atLeast) \(unit)s"
      : "the workload is to stand on \(spread.atLeast) \(unit)s"
    return Unserved(
      workload: demand.id, code: .spreadUnreachable,
      message:
        "\(reason), and the pools that can serve it have \(domains); "
        + "\(spread.atLeast - domains) more \(unit)\(spread.atLeast - domains == 1 ? "" : "s") would do")
  }
}
