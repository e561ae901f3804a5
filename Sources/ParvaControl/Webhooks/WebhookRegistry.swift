package import Foundation
import Logging
import ParvaFormats
import ParvaHTTP
import ParvaServing
import Synchronization

/// Who is told what happens, and the one way to change that. What was answered with success is on disk.
package final class WebhookRegistry: Sendable {
  package enum Refusal: Error, Hashable, Sendable {
    case notFound
    /// It is at this revision.
    case preconditionFailed(Int?)
    /// So many there are already.
    case tooMany(limit: Int, in: String?)
    /// It takes no messages: it is switched off, or its receiver has gone.
    case switchedOff
    case storeFailed(StoreError)
  }

  /// Most subscribers of the fleet at a time, and of each namespace.
  package static let most = 100
  package static let mostOwn = 20
  /// Longest time, in seconds, for which a secret that was replaced signs too.
  package static let longestOverlap = 604_800

  private struct Entry {
    let courier: WebhookCourier
    let task: Task<Void, Never>?
  }

  private struct State {
    var entries: [String: Entry] = [:]
    var isRunning = false
    /// Number of the newest event.
    var newest = 0
  }

  let feed: WebhookFeed
  package let counters = WebhookCounters()
  package let settings: WebhookSender.Settings
  private let store: any Store
  private let client: HTTPClient
  private let sender: WebhookSender
  private let now: @Sendable () -> Date
  private let logger: Logger
  private let state = Mutex(State())
  /// Changes go one after the other: each waits for the store in its middle.
  private let gate = RequestLimit(1)
  /// Rung when a courier has come further.
  private let progressed = WaitingBoard(0)

  init(
    _ webhooks: [(record: WebhookRecord, progress: WebhookProgress)], feed: WebhookFeed, store: any Store,
    settings: WebhookSender.Settings, isFollowing: Bool = false, now: @escaping @Sendable () -> Date, logger: Logger
  ) {
    (self.feed, self.store, self.settings, self.now, self.logger) = (feed, store, settings, now, logger)
    client = HTTPClient(configuration: settings.client)
    sender = WebhookSender(client: client, now: now)
    for (record, progress) in webhooks { add(record, progress) }
    hear()
    // Another controller tells them.
    if isFollowing { return }
    for entry in state.withLock({ $0.entries }).values where entry.courier.record.followsLog {
      // What became of workloads meanwhile nobody has seen.
      counters.gap()
      entry.courier.missed(.restart, at: now())
    }
  }

  private func add(_ record: WebhookRecord, _ progress: WebhookProgress) {
    let pause = settings.firstPause.seconds
    let courier = WebhookCourier(
      record, progress, store: store, sender: sender, counters: counters,
      policy: { DeliveryMachine.Policy(retryFor: TimeInterval($0.wish.retrySeconds), firstPause: pause) }, now: now,
      logger: logger, onProgress: { [progressed] in progressed.change { $0 += 1 } })
    state.withLock { state in
      let task = state.isRunning ? Task { await courier.run() } : nil
      state.entries[record.id] = Entry(courier: courier, task: task)
    }
  }

  /// Has the feed make events of what anybody is told of.
  private func hear() {
    feed.wanted = state.withLock { state in
      state.entries.values.reduce(into: []) { wanted, entry in
        if entry.courier.isEnabled { wanted.formUnion(entry.courier.record.interests) }
      }
    }
  }

  // MARK: - Running

  /// Delivers until the task is cancelled.
  func run() async {
    state.withLock { state in
      state.isRunning = true
      for (id, entry) in state.entries {
        state.entries[id] = Entry(courier: entry.courier, task: Task { await entry.courier.run() })
      }
    }
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.passOn() }
      group.addTask { await self.keepProgress() }
    }
  }

  /// Tells couriers of new events.
  private func passOn() async {
    var seen = -1
    while !Task.isCancelled, !feed.board.isClosed {
      let last = seen
      seen = await feed.board.wait(for: .seconds(3600)) { ($0, $0 != last) }
      try? await count()
      for entry in state.withLock({ Array($0.entries.values) }) { entry.courier.ring() }
    }
  }

  /// Stores how far couriers are, a few times a second at most: after a crash they begin there.
  private func keepProgress() async {
    var seen = -1
    while !Task.isCancelled, !progressed.isClosed {
      let last = seen
      seen = await progressed.wait(for: .seconds(3600)) { ($0, $0 != last) }
      if !(await keep()) { try? await Task.sleep(for: .seconds(1)) }
      hear()
      try? await Task.sleep(for: .milliseconds(200))
    }
  }

  /// False where it could not be stored; it is tried again with the next message.
  private func keep() async -> Bool {
    let couriers = state.withLock { $0.entries.mapValues(\.courier) }
    var batch = StoreBatch()
    for (id, courier) in couriers { batch.webhookProgress[id] = courier.takeUnstored() }
    guard !batch.isEmpty else { return true }
    do throws(StoreError) {
      try await store.commit(batch)
      return true
    } catch {
      for id in batch.webhookProgress.keys { couriers[id]?.putBack() }
      return false
    }
  }

  /// Some events are lost to those who are told of workloads.
  func missed(_ gap: WebhookProgress.Gap) {
    for entry in state.withLock({ Array($0.entries.values) })
    where entry.courier.record.followsLog {
      counters.gap()
      entry.courier.missed(gap, at: now())
    }
  }

  /// Returns once what was on its way to the store is in memory, or is not stored.
  func settle() async { await gate.run {} }

  /// Takes over what another controller has stored, which delivers, too.
  func follow(_ batch: StoreBatch) async {
    for (id, record) in batch.webhooks {
      let known = state.withLock { $0.entries[id]?.courier }
      let progress = batch.webhookProgress[id] ?? known?.progress ?? WebhookProgress(position: 0)
      switch (record, known) {
      case (nil, _): _ = state.withLock { $0.entries.removeValue(forKey: id) }
      case (let record?, let courier?): courier.replace(record, progress)
      case (let record?, nil): add(record, progress)
      }
    }
    for (id, progress) in batch.webhookProgress where batch.webhooks[id] == nil {
      guard let courier = state.withLock({ $0.entries[id]?.courier }) else { continue }
      courier.replace(courier.record, progress)
    }
    if !batch.webhookEvents.isEmpty { try? await count() }
  }

  /// Sees how many events there have been, by which what waits is counted.
  func count() async throws(StoreError) {
    let newest = try await store.webhookEvents(after: .max, limit: 0).newest
    state.withLock { $0.newest = max($0.newest, newest) }
  }

  /// Ends all tries and stores how far they came.
  func stop() async {
    let entries = state.withLock { state in
      state.isRunning = false
      return Array(state.entries.values)
    }
    for entry in entries {
      entry.courier.close()
      entry.task?.cancel()
    }
    client.shutdown()
    for entry in entries { await entry.task?.value }
    _ = await keep()
  }

  func close() {
    feed.board.close()
    progressed.close()
  }

  // MARK: - Asking

  /// A subscriber and how it is with it.
  package struct Standing: Sendable {
    package var record: WebhookRecord
    package var progress: WebhookProgress
    package var isEnabled: Bool
    /// Events that it has yet to be told or to pass over.
    package var waiting: Int
    /// When the message that is next has happened.
    package var oldest: Date?

    package enum State: String, Sendable, CaseIterable {
      case active
      /// The newest try has failed.
      case failing
      /// The receiver has answered 410.
      case gone
      case disabled
    }

    package var state: State {
      if isEnabled { return progress.failures > 0 ? .failing : .active }
      return progress.isGone ? .gone : .disabled
    }
  }

  private func standing(_ courier: WebhookCourier, _ newest: Int) -> Standing {
    let (progress, isEnabled) = (courier.progress, courier.isEnabled)
    return Standing(
      record: courier.record, progress: progress, isEnabled: isEnabled,
      waiting: isEnabled ? max(0, newest - progress.position) : 0, oldest: courier.oldest)
  }

  package func standing(_ id: String) -> Standing? {
    state.withLock { state in state.entries[id].map { ($0.courier, state.newest) } }.map { standing($0, $1) }
  }

  /// In order of id, those after one, all for nil; of everybody, or of one namespace.
  package func standings(after id: String? = nil, in namespace: String? = nil) -> [Standing] {
    let (entries, newest) = state.withLock { ($0.entries, $0.newest) }
    return entries.filter { $0.key > id ?? "" && (namespace == nil || $0.value.courier.record.namespace == namespace) }
      .sorted { $0.key < $1.key }.map { standing($0.value.courier, newest) }
  }

  /// How many subscribers a namespace has.
  package func count(in namespace: String) -> Int {
    state.withLock { $0.entries.values.count { $0.courier.record.namespace == namespace } }
  }

  /// The same, where that of a namespace has but its own events to be told.
  package func counted(_ standing: Standing) async -> Standing {
    guard let namespace = standing.record.namespace, standing.waiting > 0 else { return standing }
    var standing = standing
    let own = try? await store.webhookEventCount(after: standing.progress.position, in: namespace)
    standing.waiting = own ?? 0
    return standing
  }

  private func courier(_ id: String) throws(Refusal) -> WebhookCourier {
    guard let courier = state.withLock({ $0.entries[id]?.courier }) else { throw .notFound }
    return courier
  }

  private func courier(_ id: String, if precondition: Precondition) throws(Refusal) -> WebhookCourier {
    let courier = state.withLock { $0.entries[id]?.courier }
    let revision = courier?.record.revision
    guard precondition.holds(at: revision) else { throw .preconditionFailed(revision) }
    guard let courier else { throw .notFound }
    return courier
  }

  /// The newest tries of this process, newest first.
  package func tries(_ id: String) throws(Refusal) -> [WebhookSender.Try] { try courier(id).recent.reversed() }

  package func deadLetters(_ id: String, before number: Int?, limit: Int) async throws(Refusal) -> [DeadLetter] {
    _ = try courier(id)
    return try await asking { () throws(StoreError) in
      try await self.store.deadLetters(of: id, before: number, limit: limit)
    }
  }

  private func asking<Value: Sendable>(
    _ work: @Sendable () async throws(StoreError) -> Value
  ) async throws(Refusal) -> Value {
    do throws(StoreError) {
      return try await work()
    } catch {
      throw .storeFailed(error)
    }
  }

  // MARK: - Changing

  /// Makes a subscriber under a new id, who is told what happens from now on. The secret is told this once.
  package func create(
    _ wish: WebhookRecord.Wish, in namespace: String? = nil, by caller: String
  ) async throws(Refusal) -> (id: String, secret: String) {
    try await gate.run { () async throws(Refusal) in
      let id = (namespace.map(Namespace.prefix) ?? "") + WebhookSecret.makeID()
      return (id, try await self.created(id, wish, by: caller))
    }
  }

  /// Declares a subscriber of this id, or declares it anew. One that was switched off begins with what happens from now on,
  /// after a word that it has missed something.
  ///
  /// - Returns: the secret of one that is new, which is told this once.
  package func put(
    _ id: String, _ wish: WebhookRecord.Wish, if precondition: Precondition, by caller: String
  ) async throws(Refusal) -> String? {
    try await gate.run { () async throws(Refusal) in
      let revision = self.state.withLock { $0.entries[id]?.courier.record.revision }
      guard precondition.holds(at: revision) else { throw .preconditionFailed(revision) }
      guard revision == nil else {
        try await self.replace(id, wish)
        return nil
      }
      return try await self.created(id, wish, by: caller)
    }
  }

  private func created(_ id: String, _ wish: WebhookRecord.Wish, by caller: String) async throws(Refusal) -> String {
    let namespace = Namespace.isQualified(id) ? Namespace.of(id) : nil
    // Beside others of the same, so that nobody's limit tells of others.
    let (limit, beside) = (
      namespace == nil ? Self.most : Self.mostOwn,
      state.withLock { $0.entries.values.count { $0.courier.record.namespace == namespace } }
    )
    guard beside < limit else { throw .tooMany(limit: limit, in: namespace) }
    let (time, secret) = (now().wholeMilliseconds, WebhookSecret.make())
    let record = WebhookRecord(
      id: id, wish: wish, secret: NodeSecret(secret), revision: 1, createdAt: time, updatedAt: time, createdBy: caller)
    let progress = WebhookProgress(position: try await newest())
    var batch = StoreBatch()
    batch.webhooks[record.id] = record
    batch.webhookProgress[record.id] = progress
    try await commit(batch, 201, record.id, after: record.tagForRecords)
    add(record, progress)
    hear()
    return secret
  }

  private func newest() async throws(Refusal) -> Int {
    try await asking { () throws(StoreError) in try await self.store.webhookEvents(after: .max, limit: 0).newest }
  }

  private func replace(_ id: String, _ wish: WebhookRecord.Wish) async throws(Refusal) {
    let courier = try courier(id)
    let (before, wasEnabled) = (courier.record, courier.isEnabled)
    if before.wish == wish, wasEnabled == wish.isEnabled { return }
    let time = now().wholeMilliseconds
    var record = before
    record.wish = wish
    record.revision += 1
    record.updatedAt = time
    var progress = courier.progress
    (progress.isGone, progress.nextTry, progress.attempts) = (false, nil, 0)
    // What another receiver has answered, or has not, says nothing of this one.
    if wish.url != before.wish.url { (progress.failures, progress.failingSince) = (0, nil) }
    if wish.isEnabled, !wasEnabled {
      progress.position = try await newest()
      (progress.failures, progress.failingSince) = (0, nil)
      (progress.gap, progress.gapAt) = (.enabled, time)
      counters.gap()
    }
    var batch = StoreBatch()
    batch.webhooks[id] = record
    batch.webhookProgress[id] = progress
    try await commit(batch, 200, id, before: before.tagForRecords, after: record.tagForRecords)
    courier.replace(record, progress)
    hear()
  }

  /// Nobody calls there any more when this returns, and what had been given up is forgotten.
  package func remove(_ id: String, if precondition: Precondition) async throws(Refusal) {
    try await gate.run { () async throws(Refusal) in
      let record = try self.courier(id, if: precondition).record
      var batch = StoreBatch()
      batch.webhooks[id] = .some(nil)
      try await self.commit(batch, 204, id, before: record.tagForRecords)
      let entry = self.state.withLock { $0.entries.removeValue(forKey: id) }
      entry?.courier.close()
      entry?.task?.cancel()
      await entry?.task?.value
      self.hear()
    }
  }

  /// Another secret. The one before signs too, for as long as is said; one that it had replaced does no more.
  ///
  /// - Returns: the secret, which is told this once.
  package func rotate(
    _ id: String, overlap: TimeInterval, if precondition: Precondition
  ) async throws(Refusal) -> String {
    try await gate.run { () async throws(Refusal) in
      let courier = try self.courier(id, if: precondition)
      let before = courier.record
      let (time, secret) = (self.now().wholeMilliseconds, WebhookSecret.make())
      var record = before
      record.older = overlap > 0 ? WebhookRecord.OlderSecret(secret: before.secret, until: time + overlap) : nil
      record.secret = NodeSecret(secret)
      record.revision += 1
      record.updatedAt = time
      var batch = StoreBatch()
      batch.webhooks[id] = record
      try await self.commit(batch, 200, id, before: before.tagForRecords, after: record.tagForRecords)
      courier.sign(record)
      return secret
    }
  }

  /// Sends messages that were given up once more, each once: all, or those of these numbers.
  ///
  /// - Returns: how many.
  package func replay(_ id: String, _ numbers: Set<Int>?) async throws(Refusal) -> Int {
    try await gate.run { () async throws(Refusal) in
      let courier = try self.courier(id)
      guard courier.isEnabled else { throw .switchedOff }
      let letters = try await self.deadLetters(id, before: nil, limit: DeadLetterChanges.most)
      let wanted = letters.filter { numbers?.contains($0.number) ?? true }
      if let numbers, wanted.count < numbers.count { throw .notFound }
      var batch = StoreBatch()
      for letter in wanted { batch.deadLetters.due[letter.number] = true }
      try await self.commit(batch, 202, id)
      courier.ringForDue()
      return wanted.count
    }
  }

  /// Sends a message that tells nothing, once, whatever else waits; nil where the controller stops.
  package func test(_ id: String) async throws(Refusal) -> WebhookSender.Try? {
    let courier = try courier(id)
    try await commit(StoreBatch(), 200, id)
    let (record, time) = (courier.record, now())
    let made = await sender.send(
      WebhookSender.test(at: time), named: "msg_test_\(WebhookSecret.makeID().dropFirst(3))",
      type: WebhookSender.testType, attempt: 1, to: record)?.made
    if let made {
      counters.count(made.code, seconds: made.seconds)
      courier.remember(made)
    }
    return made
  }

  /// Stores what a request has changed, with its row in the audit.
  private func commit(
    _ batch: StoreBatch, _ status: Int, _ id: String, before: String? = nil, after: String? = nil
  ) async throws(Refusal) {
    do throws(StoreError) {
      try await store.commit(batch, for: AuditDraft.open) {
        $0.change(status, "webhooks/\(id)", before: before, after: after)
      }
    } catch {
      throw .storeFailed(error)
    }
  }
}

extension WebhookRecord {
  /// Of all that is decided of it, and nothing of what signs.
  fileprivate var tagForRecords: String {
    let types = wish.types.map(\.rawValue).joined(separator: " ")
    let parts = [
      wish.name, wish.url, types, wish.selector ?? "", String(wish.isEnabled), String(wish.retrySeconds),
    ]
    return EntityTag.forRecords(revision, Data(parts.joined(separator: "\n").utf8))
  }
}

/// New secrets and ids of subscribers, from the kernel's random numbers.
enum WebhookSecret {
  /// `whsec_` and the base64 of 32 bytes, as Standard Webhooks has it.
  static func make() -> String { "whsec_" + Data(random(32)).base64EncodedString() }

  static func makeID() -> String {
    "wh-" + random(10).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  private static func random(_ count: Int) -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
  }
}
