import Foundation
import ParvaControl
import ParvaFormats
import ParvaHTTP
import ParvaServing

/// `/v1/plan`: the current plan.
struct PlanHandlers: Sendable {
  /// Longest wait that a client may ask for, in seconds: proxies give up on longer silence.
  static let maxWait = 60
  /// Seconds that a plain GET waits for the plan of what was registered before it.
  static let defaultWait = 10
  private static let offers = PlanExports.all.map { (offer: $0, mediaTypes: $0.format.mediaTypes) }

  let registry: DemandRegistry
  let nodes: NodeRegistry
  let board: PlanBoard
  let windows: WindowRegistry

  /// What a request for the plan asks.
  private struct Question {
    let after: Int?
    let seconds: Int
    let export: PlanExport
    /// The demand and the fleet when the request came.
    let demand: Int
    let fleet: Int

    init(_ request: HTTPRequest, demand: Int, fleet: Int) throws(ProblemDetails) {
      try request.allowQuery("after", "wait")
      after = try request.integer("after", in: 0...Int.max)
      seconds = try request.integer("wait", in: 0...maxWait, default: defaultWait)
      export = try request.preferred(offers)
      self.demand = demand
      self.fleet = fleet
    }

    /// Whether waiting can be over.
    func isAnswered(by view: PlanBoard.View) -> Bool {
      if let after { return (view.plan?.record.revision ?? 0) > after }
      if view.pin != nil { return true }
      return view.attempted >= demand && view.fleet >= fleet
    }
  }

  /// The plan that covers every change acknowledged before this request, or, with `after`, the next one.
  ///
  /// Where that is there and written already, which most readers find, no other thread is needed.
  func get(_ request: HTTPRequest) throws -> Route.Beginning {
    if request.space.name != nil { return .rest { try await own(request) } }
    let question = try Question(request, demand: registry.revision, fleet: nodes.generation)
    let view = board.view
    if question.isAnswered(by: view), let plan = view.plan, let written = plan.writtenDocument(question.export) {
      return .answer(answer(question, request, plan, written))
    }
    return .rest {
      let view = await board.wait(for: .seconds(question.seconds), until: question.isAnswered)
      let plan = try Self.plan(of: view)
      return answer(question, request, plan, plan.document(question.export))
    }
  }

  private func answer(
    _ question: Question, _ request: HTTPRequest, _ plan: PublishedPlan, _ written: PublishedPlan.Rendering
  ) -> HTTPResponse {
    // What the client said that it has may be said as a tag or as a revision.
    let isKnown = question.after.map { plan.record.revision <= $0 } ?? false
    let answer = HTTPResponse(
      status: 200, contentType: question.export.format.contentType, cached: written.body, headers: written.headers)
    var fresh = request.unlessFresh(answer, isKnown: isKnown)
    if let waits = waits(plan) { fresh.headers["Parva-Plan-Waits"] = waits }
    return fresh
  }

  /// Which windows keep the plan from the nodes that do not have it yet, and until when; nil where none does.
  private func waits(_ plan: PublishedPlan) -> String? {
    let verdict = windows.verdict
    guard !verdict.isOpen, let assignments = plan.assignments,
      !nodes.behind(assignments.gpus, among: assignments.nodes).isEmpty
    else { return nil }
    let until = windows.until.map { "until=\(Timestamp.text($0)); " } ?? ""
    return until + "windows=" + verdict.shutBy.joined(separator: ",")
  }

  /// What the plan has for one namespace. Revisions are those since which it has been so, and only changes of its own are waited
  /// for.
  private func own(_ request: HTTPRequest) async throws -> HTTPResponse {
    let (space, name) = (request.space, request.space.name ?? "")
    try request.allowQuery("after", "wait")
    let after = try request.integer("after", in: 0...Int.max)
    let seconds = try request.integer("wait", in: 0...Self.maxWait, default: Self.defaultWait)
    try request.acceptsJSON()
    let demand = registry.read { $0.revision(of: name) }
    let view = await board.wait(for: .seconds(seconds)) { view in
      if let after { return (view.revision(for: name) ?? 0) > after }
      return view.pin != nil || view.plan != nil && view.attempted >= demand
    }
    guard let plan = view.plan, let since = view.revision(for: name) else {
      throw ProblemDetails(
        status: 503, code: "plan_pending", detail: "The first plan is still being made.", headers: ["Retry-After": "1"])
    }
    let body = NamespaceRepresentation.plan(plan.plan, since: since, of: space)
    let headers: HTTPHeaders = [
      "ETag": EntityTag(revision: since, of: body).text, "Vary": "Accept", "Parva-Plan-Revision": String(since),
    ]
    return request.unlessFresh(
      HTTPResponse(status: 200, contentType: "application/json", body: body, headers: headers),
      isKnown: after.map { since <= $0 } ?? false)
  }

  /// The plan that covers every change acknowledged before this call; where it does not come in time, the newest there is.
  ///
  /// - Throws: 503 `plan_pending` before the first.
  func current(within duration: Duration) async throws(ProblemDetails) -> PublishedPlan {
    let (demand, fleet) = (registry.revision, nodes.generation)
    return try Self.plan(
      of: await board.wait(for: duration) { view in
        // A plan from the store does not know which nodes are there now.
        view.pin != nil
          || view.attempted >= demand && view.fleet >= fleet && (view.isCurrent || view.failure != nil)
      })
  }

  private static func plan(of view: PlanBoard.View) throws(ProblemDetails) -> PublishedPlan {
    if let plan = view.plan { return plan }
    throw ProblemDetails(
      status: 503, code: "plan_pending", detail: view.failure ?? "The first plan is still being made.",
      headers: ["Retry-After": "1"])
  }
}
