import ParvaControl
import ParvaHTTP
import ParvaServing
import ParvaWire

/// `/v1/fleet`: the nodes together.
struct FleetHandlers: Sendable {
  let nodes: NodeRegistry
  let pusher: PlanPusher
  let board: PlanBoard
  let windows: WindowRegistry
  /// Whether plans may be made for higher rates than workloads have.
  let holdsRates: Bool
  let lead: ScheduleLead

  func get(_ request: HTTPRequest) throws -> HTTPResponse {
    try request.allowQuery()
    try request.acceptsJSON()
    return try answer()
  }

  /// The operator's word that the nodes which are silent now are lost: plans go on without them, however many they are.
  func acceptSilence(_ request: HTTPRequest) async throws -> HTTPResponse {
    try request.allowQuery()
    do throws(StoreError) {
      _ = try await nodes.acceptSilence()
    } catch {
      throw ProblemDetails(error)
    }
    return try answer()
  }

  private func answer() throws -> HTTPResponse {
    let count = nodes.counted
    let states = NodeCondition.allCases.map { ($0.rawValue, count.nodes[$0] ?? 0) }
    return try .json(
      200,
      FleetDocument(
        nodes: Dictionary(uniqueKeysWithValues: states), cutOff: count.isCutOff,
        graceSeconds: nodes.settings.fleet.grace.seconds, autoApply: pusher.autoApply,
        holds: holdsRates ? Self.document(board.view.holds) : nil, pin: board.view.pin.map(PlanPinHandlers.document),
        rollouts: windows.windows.isEmpty ? nil : WindowHandlers.gate(windows),
        scheduleLead: FleetDocument.ScheduleLead(seconds: lead.seconds, learnt: lead.isLearnt)))
  }

  private static func document(_ holds: [RateHold]) -> FleetDocument.Holds {
    FleetDocument.Holds(
      count: holds.count, next: holds.compactMap(\.until).min().map(Timestamp.text),
      workloads: holds.prefix(100).map { hold in
        FleetDocument.Holds.Workload(
          id: hold.workload, rate: hold.rate, plannedRate: hold.planned, until: hold.until.map(Timestamp.text))
      })
  }
}
