import Foundation
import Logging
import ParvaServing
import Synchronization

/// Brings what a controller has in memory up to its copy of a store that another controller writes.
///
/// One batch after the other, in the order in which they were committed, so that every answer tells of some moment that
/// was, and none of an earlier one than an answer before it.
package final class Follower: Sendable {
  /// What is kept up to date.
  struct Parts: Sendable {
    var registry: DemandRegistry
    var nodes: NodeRegistry
    var tokens: TokenRegistry
    var windows: WindowRegistry
    var webhooks: WebhookRegistry
    var traffic: TrafficBoard
    var pusher: PlanPusher
    var board: PlanBoard
  }

  private let store: any ReplicatedStore
  private let parts: Parts
  private let logger: Logger
  /// Reading a large plan takes a core for a while.
  private let queue = WorkQueue("parva.follower", yields: true)
  private struct Seen: Sendable {
    /// How many commits are in memory.
    var position: Int
    /// Whether no more come.
    var isOver = false
  }

  private let seen: WaitingBoard<Seen>
  /// The newest plan as it is stored.
  private let newest: Mutex<StoredPlan?>
  private let fresh: Mutex<ContinuousClock.Instant?>
  /// What the leader says of its planning.
  private let word = Mutex<PlanningWord?>(nil)

  /// - Parameters:
  ///   - position: how many commits are in memory already.
  ///   - freshAt: when they were known to be all.
  ///   - newest: the newest plan among them.
  init(
    _ store: any ReplicatedStore, from position: Int, freshAt: ContinuousClock.Instant?, newest: StoredPlan?,
    _ parts: Parts, logger: Logger
  ) {
    fresh = Mutex(freshAt)
    self.newest = Mutex(newest)
    (self.store, self.parts, self.logger) = (store, parts, logger)
    seen = WaitingBoard(Seen(position: position))
  }

  /// How many commits are in memory.
  package var position: Int { seen.read(\.position) }

  /// When what is in memory was last known to hold everything that was committed; nil before the first time.
  package var freshAt: ContinuousClock.Instant? {
    // In this order: what came between the two is in the position.
    let copied = store.freshAt
    let isWhole = position >= store.position
    return fresh.withLock { fresh in
      if isWhole, let copied { fresh = max(fresh ?? copied, copied) }
      return fresh
    }
  }

  /// Waits until memory has come to a position; false where it has not within the time.
  package func wait(for position: Int, within limit: Duration) async -> Bool {
    await seen.wait(for: limit) { ($0.position >= position, $0.position >= position) }
  }

  /// Waits until memory holds everything that was committed before this call; false where it does not within the time.
  package func catchUp(within limit: Duration) async -> Bool {
    let start = ContinuousClock.now
    while freshAt.map({ $0 < start }) ?? true {
      guard ContinuousClock.now - start < limit, (try? await Task.sleep(for: .milliseconds(10))) != nil else {
        return false
      }
    }
    return true
  }

  /// Nobody waits any more.
  func close() { seen.close() }

  /// Follows until the task is cancelled, or the copy was read anew as a whole: a controller that begins with it has to
  /// take the place of this one then, and true is answered.
  func run() async -> Bool {
    defer { seen.change { $0.isOver = true } }
    for await news in store.news(after: position) {
      if Task.isCancelled { break }
      switch news {
      case .reset: return true
      case .batch(let batch, let position):
        await take(batch)
        seen.change { $0.position = position }
      }
    }
    return false
  }

  // MARK: - Handing over

  /// What its store holds, for a controller that takes the place of this one: what is large comes from memory where that has
  /// come as far as the copy, which is waited for. Nothing comes into either while the rest is read.
  ///
  /// - Returns: beside it the newest plan as it was published, where it came from memory.
  package func handOver(
    within limit: Duration = .seconds(3)
  ) async throws(StoreError) -> (contents: StoreContents, plan: PublishedPlan?, isKnown: Bool) {
    let position = store.position
    _ = await seen.wait(for: limit) { ((), $0.position >= position || $0.isOver) }
    let published = Mutex<PublishedPlan??>(nil)
    let contents = try await store.load { [self] position in
      let (plan, shown) = (newest.withLock(\.self), parts.board.view.plan)
      // A plan that cannot be read is not shown.
      guard self.position == position, plan?.record == shown?.record else { return nil }
      published.withLock { $0 = .some(shown) }
      return KnownContents(demand: parts.registry.snapshot, plan: plan, nodes: parts.nodes.stored)
    }
    let known = published.withLock(\.self)
    return (contents, known ?? nil, known != nil)
  }

  // MARK: - Coming in

  /// Takes what the leader says of its planning beside what it stores; nil where it is well.
  package func hear(_ word: PlanningWord?) {
    let isNew = self.word.withLock { known in
      defer { known = word }
      return known != word
    }
    // What it means for a plan that has come since was told with that.
    if isNew { tellOfPlanning() }
  }

  /// The plan that the word is about may come later than the word.
  private func tellOfPlanning() {
    // Under the lock: of two words the later one stays.
    word.withLock { word in
      let generation = parts.nodes.generation
      guard parts.board.hear(word), let offers = word?.offers, parts.board.view.fleet < generation,
        offers == parts.nodes.inventory.fingerprint
      else { return }
      parts.board.saw(fleet: generation)
    }
  }

  private func take(_ batch: StoreBatch) async {
    parts.registry.follow(batch)
    parts.nodes.follow(batch)
    parts.tokens.follow(batch)
    parts.windows.follow(batch)
    await parts.webhooks.follow(batch)
    parts.traffic.follow(batch)
    await take(batch.plan, pin: batch.pin)
    if batch.plan == nil, !batch.nodes.isEmpty || !batch.nodeStates.isEmpty { tellAll() }
    seeFleet()
    if word.withLock({ $0 != nil }) { tellOfPlanning() }
    await parts.pusher.follow(batch)
  }

  private func take(_ stored: StoredPlan?, pin: PlanPin??) async {
    let view = parts.board.view
    let newPin = pin ?? view.pin
    guard let stored, stored.record.revision >= view.plan?.record.revision ?? 0 else {
      if pin != nil { parts.board.pin(newPin) }
      return
    }
    let records = Array(parts.nodes.snapshot.nodes.values)
    let published = await queue.run { [logger] in
      PublishedPlan(stored, tellsAll: true, records, known: view.plan, logger)
    }
    newest.withLock { $0 = stored }
    guard let published else { return }
    parts.board.publish(published, fleet: parts.nodes.generation, pin: newPin, isCurrent: true)
    parts.nodes.take(published.assignments?.planned(revision: stored.record.revision))
  }

  /// What nodes say is stored a little later than plans are made for it: a plan for what they have said by now covers it.
  private func seeFleet() {
    let generation = parts.nodes.generation
    let view = parts.board.view
    guard view.fleet < generation, let plan = view.plan, plan.record.fleet == parts.nodes.inventory.fingerprint else {
      return
    }
    parts.board.saw(fleet: generation)
  }

  /// What nodes say is stored a little later than plans are made for it: those that are to hold nothing are told of the plan
  /// once they are known. O(nodes).
  private func tellAll() {
    let view = parts.board.view
    guard let plan = view.plan, let assignments = plan.assignments else { return }
    let told = assignments.told(to: parts.nodes.trafficState.records)
    guard told.nodes != assignments.nodes else { return }
    parts.board.publish(PublishedPlan(plan, telling: told), fleet: view.fleet, pin: view.pin, isCurrent: true)
    parts.nodes.take(told.planned(revision: plan.record.revision))
  }
}
