import Foundation
import Logging
import ParvaServing
import Synchronization

/// Brings messages to one subscriber, one after the other; whoever is slow or dead holds up nobody else.
final class WebhookCourier: Sendable {
  private struct State {
    var record: WebhookRecord
    var machine: DeliveryMachine
    /// The newest tries, oldest first.
    var tries: [WebhookSender.Try] = []
    /// Whether the store knows how far this one is.
    var isStored = true
  }

  /// Tries that are remembered, for people.
  static let tries = 50
  /// Events that are in memory at a time.
  static let page = 32

  private let store: any Store
  private let sender: WebhookSender
  private let counters: WebhookCounters
  private let policy: @Sendable (WebhookRecord) -> DeliveryMachine.Policy
  private let now: @Sendable () -> Date
  private let logger: Logger
  /// Called when there is something to store.
  private let onProgress: @Sendable () -> Void
  /// Grows when something happens.
  private let bell = WaitingBoard(0)
  private let state: Mutex<State>

  init(
    _ record: WebhookRecord, _ progress: WebhookProgress, store: any Store, sender: WebhookSender,
    counters: WebhookCounters, policy: @escaping @Sendable (WebhookRecord) -> DeliveryMachine.Policy,
    now: @escaping @Sendable () -> Date, logger: Logger, onProgress: @escaping @Sendable () -> Void
  ) {
    (self.store, self.sender, self.counters, self.policy) = (store, sender, counters, policy)
    (self.now, self.logger, self.onProgress) = (now, logger, onProgress)
    state = Mutex(State(record: record, machine: DeliveryMachine(record, progress, policy(record))))
  }

  // MARK: - From outside

  var record: WebhookRecord { state.withLock(\.record) }
  var progress: WebhookProgress { state.withLock { $0.machine.progress } }
  var isEnabled: Bool { state.withLock { $0.machine.isEnabled } }
  var oldest: Date? { state.withLock { $0.machine.oldest } }
  var recent: [WebhookSender.Try] { state.withLock(\.tries) }

  func ring() { change { $0.machine.ring() } }
  func ringForDue() { change { $0.machine.ringForDue() } }

  func missed(_ gap: WebhookProgress.Gap, at time: Date) {
    change { state in
      guard state.machine.isEnabled else { return }
      state.machine.missed(gap, at: time)
      state.isStored = false
    }
    onProgress()
  }

  /// Goes on by another declaration, from where it is. What is on its way to another URL than
  /// is declared now counts where it arrives, and nowhere else.
  func replace(_ record: WebhookRecord, _ progress: WebhookProgress) {
    change { state in
      state.record = record
      state.machine = DeliveryMachine(record, progress, policy(record))
      state.isStored = true
    }
  }

  /// Only another secret.
  func sign(_ record: WebhookRecord) { change { $0.record = record } }

  private func change(_ body: (inout State) -> Void) {
    state.withLock { body(&$0) }
    bell.change { $0 += 1 }
  }

  /// How far it is, where the store does not know; taken for stored.
  func takeUnstored() -> WebhookProgress? {
    state.withLock { state in
      guard !state.isStored else { return nil }
      state.isStored = true
      return state.machine.progress
    }
  }

  /// It could not be stored after all.
  func putBack() { state.withLock { $0.isStored = false } }

  // MARK: - Delivering

  func run() async {
    while !Task.isCancelled, !bell.isClosed {
      let heard = bell.read { $0 }
      let time = now()
      let (step, record) = state.withLock { ($0.machine.next(at: time), $0.record) }
      switch step {
      case .read(let after): await read(after)
      case .readDue: await readDue()
      case .bury(let letter):
        counters.count("expired")
        await keep(.bury(letter))
      case .send(let message, let attempt): await send(message, attempt, record)
      case .rest(let until):
        let pause = until.map { Duration.seconds(min(max(0.001, $0.timeIntervalSince(time)), 3600)) }
        _ = await bell.wait(for: pause ?? .seconds(3600)) { ((), $0 != heard) }
      }
    }
  }

  func close() { bell.close() }

  private func read(_ after: Int) async {
    do throws(StoreError) {
      let page = try await store.webhookEvents(after: after, limit: Self.page)
      let time = now()
      state.withLock { $0.machine.take(page, after: after, at: time) }
    } catch {
      // The store says itself what ails it.
      try? await Task.sleep(for: .seconds(1))
    }
  }

  private func readDue() async {
    do throws(StoreError) {
      let letters = try await store.dueLetters(of: record.id, limit: DeadLetterChanges.most)
      state.withLock { $0.machine.take(due: letters) }
    } catch {
      try? await Task.sleep(for: .seconds(1))
    }
  }

  private func send(_ message: DeliveryMachine.Message, _ attempt: Int, _ record: WebhookRecord) async {
    let name = state.withLock { $0.machine.name(of: message) }
    let (type, body) = WebhookSender.body(message, in: record.namespace)
    guard let (outcome, made) = await sender.send(body, named: name, type: type, attempt: attempt, to: record) else {
      return
    }
    counters.count(made.code, seconds: made.seconds)
    let draw = Double.random(in: 0...1)
    let (effect, isNews) = state.withLock { state -> (DeliveryMachine.Effect, Bool) in
      state.tries.append(made)
      if state.tries.count > Self.tries { state.tries.removeFirst() }
      guard outcome == .delivered || state.record.wish.url == record.wish.url else { return (.none, false) }
      let before = state.machine.progress
      let effect = state.machine.finished(message, outcome, at: now(), draw: draw)
      state.isStored = false
      let after = state.machine.progress
      return (effect, (before.failures == 0) != (after.failures == 0) || before.isGone != after.isGone)
    }
    if isNews {
      logger.log(
        level: made.isDelivered ? .notice : .warning,
        made.isDelivered ? "a subscriber takes messages again" : "a subscriber takes no messages",
        metadata: ["webhook": "\(record.id)", "name": "\(record.wish.name)", "code": "\(made.code)"])
    }
    await keep(effect)
    onProgress()
  }

  func remember(_ made: WebhookSender.Try) {
    state.withLock { state in
      state.tries.append(made)
      if state.tries.count > Self.tries { state.tries.removeFirst() }
    }
  }

  /// Stores what an outcome has done to messages that were given up, as often as it takes: nothing is done before.
  private func keep(_ effect: DeliveryMachine.Effect) async {
    var changes = DeadLetterChanges()
    switch effect {
    case .none: return
    case .bury(let letter):
      counters.buried()
      changes.added = [letter]
    case .forget(let letter): changes.removed = [letter.number]
    case .retire(let letter, let code, let others):
      changes.retried = [letter.number: code]
      for other in others { changes.due[other.number] = false }
    }
    while !Task.isCancelled, !bell.isClosed {
      var batch = StoreBatch()
      batch.deadLetters = changes
      let (id, progress) = state.withLock { state in
        state.isStored = true
        return (state.record.id, state.machine.progress)
      }
      batch.webhookProgress[id] = progress
      do throws(StoreError) {
        return try await store.commit(batch)
      } catch {
        putBack()
        try? await Task.sleep(for: .seconds(1))
      }
    }
  }
}
