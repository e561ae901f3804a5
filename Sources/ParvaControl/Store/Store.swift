package import Foundation
package import ParvaEngine
package import ParvaFormats
package import ParvaWire

/// Where the controller keeps what must survive it. Every store passes one contract suite.
///
/// The controller is the only writer; it reads everything once at its start and keeps the demand in memory.
package protocol Store: Sendable {
  /// Everything that the controller works with.
  func load() async throws(StoreError) -> StoreContents

  /// Stores a batch whole or not at all. When it returns, the batch is on disk.
  func commit(_ batch: StoreBatch) async throws(StoreError)

  /// The claims honoured under these keys, in any order.
  func claims(_ keys: [String]) async throws(StoreError) -> [HonouredClaim]

  /// Records of plans, newest first, beginning below revision `before`, all for nil.
  func plans(before: Int?, limit: Int) async throws(StoreError) -> [PlanRecord]

  /// One plan with its document; nil where it never was or is no longer kept.
  func plan(_ revision: Int) async throws(StoreError) -> StoredPlan?

  /// One operation, nil where it never was or is no longer kept.
  func operation(_ id: String) async throws(StoreError) -> StoredOperation?

  /// The newest operation that a request with this key began.
  func operation(claimedBy key: String) async throws(StoreError) -> StoredOperation?

  /// Operations, newest first: those older than the one of this id, all for nil, none for an unknown one.
  func operations(after id: String?, limit: Int) async throws(StoreError) -> [StoredOperation]

  /// Rows of the audit that answer a filter, in the order of the page.
  func audit(_ filter: AuditFilter, _ page: AuditPage, limit: Int) async throws(StoreError) -> [AuditEntry]

  /// Events for subscribers after a number, oldest first.
  func webhookEvents(after number: Int, limit: Int) async throws(StoreError) -> WebhookEventPage

  /// How many of them are a namespace's.
  func webhookEventCount(after number: Int, in namespace: String) async throws(StoreError) -> Int

  /// Messages of a subscriber that were given up, newest first: those below a number, all for nil; or those that are to be
  /// sent once more, oldest first.
  func deadLetters(of webhook: String, before number: Int?, limit: Int) async throws(StoreError) -> [DeadLetter]
  func dueLetters(of webhook: String, limit: Int) async throws(StoreError) -> [DeadLetter]

  /// Writes something small to disk, to see whether a commit could be done.
  func probe() async throws(StoreError)

  /// Bytes that it takes on disk; nil where it does not say.
  var sizeBytes: Int? { get }

  /// Why it takes no writes now, as far as that is known beforehand.
  var trouble: StoreError? { get }

  /// Gives up files and locks. No other call may follow.
  func close() async throws(StoreError)
}

extension Store {
  package var sizeBytes: Int? { nil }
  package var trouble: StoreError? { nil }

  /// Stores what a request has come to, with its row in the audit. Here ends what is a dry run: ``AuditDraft/outcome`` then
  /// has what would be.
  ///
  /// - Parameter row: the row of the change.
  /// - Throws: for a dry run, whatever it has come to; `dry_run` where the store would have taken it.
  func commit(
    _ batch: StoreBatch, for draft: AuditDraft?, _ row: (AuditDraft) -> AuditEntry
  ) async throws(StoreError) {
    guard let draft else { return try await commit(batch) }
    var batch = batch
    batch.audit.append(row(draft))
    if draft.isDryRun { try end(draft, with: batch) }
    try await commit(batch)
    draft.recorded()
  }

  /// Ends a dry run with what it would store, its row in the audit included.
  ///
  /// - Throws: always.
  func end(_ draft: AuditDraft, with batch: StoreBatch) throws(StoreError) {
    if let trouble { throw trouble }
    draft.end(with: DryRunOutcome(batch))
    throw .dryRun
  }
}

/// What a store holds, without the history of plans.
package struct StoreContents: Sendable {
  package var demand: Demand
  /// How many commits are in it, where the store is one that is shared; see ``ReplicatedStore``.
  package var position = 0
  /// Comes before all terms in which controllers lead with it; grows with every restore, 0 before the first.
  package var epoch = 0
  /// The newest plan.
  package var plan: StoredPlan?
  /// What keeps it as it is; nil where nothing does.
  package var pin: PlanPin?
  package var nodes: [NodeRecord] = []
  /// Names of nodes that were removed and not registered again.
  package var removedNodes: Set<String> = []
  /// Operations that had not ended, oldest first.
  package var openOperations: [StoredOperation] = []
  /// Servers that somebody else has started, by segment.
  package var toldSegments: [String: ToldSegment] = [:]
  package var tokens: [AccessToken] = []
  /// When plans may be brought to nodes by themselves.
  package var windows: [RolloutWindow] = []
  /// Subscribers with how far they are.
  package var webhooks: [(record: WebhookRecord, progress: WebhookProgress)] = []
  /// What is known of capacities, in the order in which it was found; what cannot be read is left out.
  package var capacities: [CapacityFacts] = []

  package init(demand: Demand = Demand(), plan: StoredPlan? = nil) {
    self.demand = demand
    self.plan = plan
  }
}

/// Changes that belong together.
package struct StoreBatch: Sendable {
  /// Set where the demand changes.
  package var demandRevision: Int?
  /// Registrations to set by workload id, nil to take one away.
  package var registrations: [String: Registration?] = [:]
  /// Profiles to set, nil to take one away.
  package var profiles: [ProfileKey: StoredProfile?] = [:]
  /// Namespaces to set, nil to take one away.
  package var namespaces: [String: NamespaceRecord?] = [:]
  package var claims: [HonouredClaim] = []
  /// A plan to add, or whose record to renew where the revision is there.
  package var plan: StoredPlan?
  /// What keeps the newest plan as it is, or that nothing does.
  package var pin: PlanPin??
  /// Which plans stay once this one is there; nil forgets none.
  package var keptPlans: (bounds: PlanRetention, now: Date)?
  /// Claims honoured before this are forgotten.
  package var firstClaimKept: Date?
  /// Nodes to set by name, nil to take one away with all that belongs to it. States and assignments are set apart.
  package var nodes: [String: NodeRecord?] = [:]
  /// What nodes said of themselves, by name of a node that is there or that this batch sets.
  package var nodeStates: [String: NodeStateDocument] = [:]
  /// What was pushed to nodes and verified, by name of a node that is there or that this batch sets.
  package var assignments: [String: NodeAssignment] = [:]
  /// Whether a name is to be remembered as removed.
  package var removedNodes: [String: Bool] = [:]
  /// Operations to add.
  package var operations: [StoredOperation] = []
  /// How operations have come on, by id.
  package var progress: [String: OperationProgress] = [:]
  /// How many operations are kept; the oldest that have ended go.
  package var keptOperations: Int?
  /// Servers that somebody else has started, by segment; nil takes away what was told.
  package var toldSegments: [String: ToldSegment?] = [:]
  /// Tokens to add by id, nil to take one away.
  package var tokens: [String: AccessToken?] = [:]
  /// When tokens were used last, by id.
  package var tokenUses: [String: Date] = [:]
  /// Windows to set by name, nil to take one away.
  package var windows: [String: RolloutWindow?] = [:]
  /// Subscribers to set by id, nil to take one away with all that belongs to it.
  package var webhooks: [String: WebhookRecord?] = [:]
  /// How far subscribers are, of those that are there or that this batch sets.
  package var webhookProgress: [String: WebhookProgress] = [:]
  /// What subscribers are to be told, in this order; the oldest are forgotten.
  package var webhookEvents: [WebhookEvent] = []
  package var deadLetters = DeadLetterChanges()
  /// Rows of the audit to add, in this order.
  package var audit: [AuditEntry] = []
  /// Which rows of the audit stay; nil forgets none.
  package var keptAudit: (bounds: AuditRetention, now: Date)?
  package var capacities = CapacityChanges()

  package init() {}

  package var isEmpty: Bool {
    demandRevision == nil && registrations.isEmpty && profiles.isEmpty && namespaces.isEmpty && claims.isEmpty
      && plan == nil && keptPlans == nil && firstClaimKept == nil && nodes.isEmpty && removedNodes.isEmpty
      && operations.isEmpty
      && nodeStates.isEmpty && assignments.isEmpty && progress.isEmpty && toldSegments.isEmpty && pin == nil
      && tokens.isEmpty && tokenUses.isEmpty && windows.isEmpty && audit.isEmpty && keptAudit == nil
      && webhooks.isEmpty && webhookProgress.isEmpty && webhookEvents.isEmpty && deadLetters == DeadLetterChanges()
      && capacities.isEmpty
  }

  /// Most events that are kept for subscribers.
  package static let mostWebhookEvents = 10_000
}

/// What becomes of messages that were given up.
package struct DeadLetterChanges: Hashable, Sendable {
  /// Of subscribers that are there; of each the newest ``most`` stay.
  package var added: [DeadLetter] = []
  /// Numbers of those to forget.
  package var removed: [Int] = []
  /// Which are to be sent once more, or not, by number.
  package var due: [Int: Bool] = [:]
  /// What came of another try that failed, too, by number; it is not due any more.
  package var retried: [Int: String] = [:]

  package static let most = 100

  package init() {}
}

extension Store {
  /// O(events).
  package func webhookEventCount(after number: Int, in namespace: String) async throws(StoreError) -> Int {
    try await webhookEvents(after: number, limit: StoreBatch.mostWebhookEvents).events
      .count { $0.namespace == namespace }
  }
}
