import ParvaFormats

/// The current plan, and those who wait for another one.
package final class PlanBoard: Sendable {
  package struct View: Sendable {
    /// Nil until there is one: from the store at the start, else made by the first planning.
    package var plan: PublishedPlan?
    /// The newest demand revision for which planning has ended, well or not; -1 before the first.
    package var attempted = -1
    /// The generation of the fleet that the newest attempt has seen; -1 before the first.
    package var fleet = -1
    /// Whether the plan knows the nodes that are there now: it was made by this process, by the leader that this one follows, or
    /// by the leader before this one for the same demand and nodes. One that was read at the start may not.
    package var isCurrent = false
    /// Why the newest attempt gave no plan, and the fingerprint of the fleet that it was for.
    package var failure: String?
    var failedOffers: UInt64?
    /// What the planner suffers from, whether or not another plan could be published in its stead; nil where it is well.
    package var trouble: PlanningTrouble?
    /// Workloads that the plan was made for at higher rates than they have.
    package var holds: [RateHold] = []
    /// What keeps the plan as it is: none is made for what changes.
    package var pin: PlanPin?
    var parts: [String: PlanPart] = [:]

    /// The first plan in a row that tells a namespace what the current one does; nil before the first, 0 where none has told it
    /// anything. Where there is but one namespace, the current one.
    package func revision(for namespace: String) -> Int? {
      plan.map { plan in
        parts[namespace]?.since ?? (parts.isEmpty && namespace == Namespace.standard ? plan.record.revision : 0)
      }
    }

    /// Of a namespace's workloads, those that the plan leaves out.
    func unplaced(in namespace: String) -> Int {
      parts[namespace]?.unplaced
        ?? (parts.isEmpty && namespace == Namespace.standard ? plan?.record.unplacedCount ?? 0 : 0)
    }
  }

  /// A new plan as the stream of events tells it.
  private struct News: Encodable {
    var revision: Int
    var demandRevision: Int
    var gpuCount: Int
    var unplaced: Int
  }

  /// The same to one namespace.
  private struct OwnNews: Encodable {
    var revision: Int
    var unplaced: Int
    var plan = "/v1/plan"
  }

  private let board = WaitingBoard(View())
  private let events: EventLog?

  /// - Parameter events: are told of every plan that differs from the one before.
  package init(events: EventLog? = nil) { self.events = events }

  package var view: View { board.read { copy $0 } }

  /// Whether nobody is to wait any more.
  package var isClosed: Bool { board.isClosed }

  package func publish(
    _ plan: PublishedPlan, fleet: Int = 0, holds: [RateHold] = [], trouble: PlanningTrouble? = nil,
    pin: PlanPin? = nil, isCurrent: Bool = false
  ) {
    let followed = events?.followed ?? []
    let (isNew, own) = board.change { view in
      let isNew = view.plan?.record.revision != plan.record.revision
      let before = view
      view.pin = pin
      view.holds = holds
      view.trouble = trouble
      view.parts = PlanPart.parts(plan.parts, after: view.parts, plan.record.revision)
      view.plan = plan
      view.isCurrent = isCurrent || plan.origin == .planned
      view.attempted = plan.record.demandRevision
      view.fleet = fleet
      (view.failure, view.failedOffers) = (nil, nil)
      let own = followed.reduce(into: [String: OwnNews]()) { news, name in
        guard let revision = view.revision(for: name), revision != before.revision(for: name) ?? 0 else { return }
        news[name] = OwnNews(revision: revision, unplaced: view.unplaced(in: name))
      }
      return (isNew, own)
    }
    // Who hears of it finds it.
    guard isNew else { return }
    let record = plan.record
    events?.add(
      "plan",
      of: News(
        revision: record.revision, demandRevision: record.demandRevision, gpuCount: record.gpuCount,
        unplaced: record.unplacedCount), own: own)
  }

  package func pin(_ pin: PlanPin?) { board.change { $0.pin = pin } }

  /// The plan that is there is as good as one of this process.
  package func confirm() { board.change { $0.isCurrent = true } }

  /// The plan that is there was made for this generation of the fleet, or an older one of the same nodes.
  package func saw(fleet: Int) { board.change { $0.fleet = max($0.fleet, fleet) } }

  /// The plan that is there stays.
  ///
  /// - Parameter offers: fingerprint of the fleet.
  package func fail(
    at demandRevision: Int, fleet: Int = 0, offers: UInt64? = nil, _ reason: String, trouble: PlanningTrouble? = nil
  ) {
    board.change { view in
      view.trouble = trouble
      view.attempted = demandRevision
      view.fleet = fleet
      (view.failure, view.failedOffers) = (reason, offers)
    }
  }

  /// What the controller that plans says of it, where this one follows.
  ///
  /// - Returns: whether it is about the plan that is there.
  func hear(_ word: PlanningWord?) -> Bool {
    board.change { view in
      let record = view.plan?.record
      // A word on another plan is older than this one, or its plan is still to come.
      guard word == nil || word?.revision == record?.revision ?? 0 else { return false }
      guard word == nil || word?.attempted ?? 0 >= record?.demandRevision ?? -1 else { return false }
      (view.failure, view.failedOffers, view.trouble) = (word?.failure, word?.offers, word?.trouble)
      view.attempted = word?.attempted ?? record?.demandRevision ?? -1
      return word != nil
    }
  }

  /// The view as soon as it answers the question, or as it is after `duration`. O(1) beside waiting.
  package func wait(for duration: Duration, until isAnswered: @escaping @Sendable (View) -> Bool) async -> View {
    await board.wait(for: duration) { ($0, isAnswered($0)) }
  }

  /// Answers everybody who waits, now and from now on: the controller stops.
  package func close() { board.close() }
}
