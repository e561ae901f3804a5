import Foundation
import ParvaEngine

/// What is to be done for one subscriber: told the time, what happened and what came of tries, it says what comes next. It keeps
/// no clock and does nothing itself.
///
/// Messages go out one after the other, in the order of their events: one that fails is tried again, with pauses that grow, and
/// those behind it wait. Once its event is older than ``Policy/retryFor`` it is given up, and so are others of that age while the
/// failures go on.
struct DeliveryMachine: Sendable {
  struct Policy: Hashable, Sendable {
    /// Seconds for which a message is tried.
    var retryFor: TimeInterval = 86_400
    /// Before the second try; doubled with each failure.
    var firstPause: TimeInterval = 5
    var longestPause: TimeInterval = 3600
    /// Most that a receiver may have us wait.
    static let longestWish: TimeInterval = 86_400

    /// - Parameters:
    ///   - failures: one after the other, at least 1.
    ///   - draw: 0...1; the pause is from a half to all of what the failures make it, so that subscribers which failed together
    ///     are not tried together.
    func pause(after failures: Int, draw: Double) -> TimeInterval {
      min(longestPause, firstPause * Double(1 << min(failures - 1, 30))) * (0.5 + draw / 2)
    }
  }

  /// What a receiver is sent.
  enum Message: Hashable, Sendable {
    case event(WebhookEvent)
    /// To read everything anew.
    case gap(WebhookProgress.Gap, at: Date)
    /// One that was given up, once more.
    case replay(DeadLetter)
  }

  enum Step: Hashable, Sendable {
    /// Read the events after a number.
    case read(after: Int)
    /// Read what was given up and is due.
    case readDue
    case send(Message, attempt: Int)
    /// Keep what is given up untried.
    case bury(DeadLetter)
    /// Nothing before that time, or before something happens.
    case rest(until: Date?)
  }

  enum Outcome: Hashable, Sendable {
    case delivered
    /// - Parameter wish: seconds that the receiver wants to be left alone.
    case failed(code: String, wish: TimeInterval? = nil)
    /// The receiver wants no more, ever (RFC 9110, section 15.5.11).
    case gone
  }

  /// What is to be kept of an outcome.
  enum Effect: Hashable, Sendable {
    case none
    case bury(DeadLetter)
    /// A replay has arrived.
    case forget(DeadLetter)
    /// A replay has failed: it, and those behind it, are not due any more.
    case retire(DeadLetter, code: String, others: [DeadLetter])
  }

  let id: String
  let policy: Policy
  private(set) var progress: WebhookProgress
  private(set) var isEnabled: Bool
  private let namespace: String?
  private let types: Set<WebhookEventType>
  private let selector: LabelSelector?
  /// Read and not yet passed, in order.
  private var queue: ArraySlice<WebhookEvent> = []
  private var replays: ArraySlice<DeadLetter> = []
  /// Whether there may be events behind those of the queue.
  private var hasMore = true
  private var hasDue = true

  init(_ record: WebhookRecord, _ progress: WebhookProgress, _ policy: Policy) {
    id = record.id
    self.policy = policy
    self.progress = progress
    isEnabled = record.wish.isEnabled && !progress.isGone
    namespace = record.namespace
    types = Set(record.wish.types)
    selector = record.wish.selector.flatMap { try? LabelSelector($0) }
  }

  func wants(_ event: WebhookEvent) -> Bool {
    event.namespace == namespace && types.contains(event.type)
      && (!event.type.hasLabels || selector?.matches(event.labels) ?? true)
  }

  /// What the event is called: the same at every try.
  func name(of message: Message) -> String {
    switch message {
    // No dots, which part what is signed. Numbers begin anew with another store, and times do not.
    case .event(let event): "msg_\(Self.milliseconds(event.time))_\(event.number)"
    case .gap(_, let time): "msg_gap_\(Self.milliseconds(time))_\(StableHash.digits(of: Data(id.utf8)))"
    case .replay(let letter): letter.message
    }
  }

  private static func milliseconds(_ time: Date) -> Int { Int((time.timeIntervalSince1970 * 1000).rounded()) }

  /// When the message that is next has happened; nil where none waits.
  var oldest: Date? { queue.first { wants($0) }?.time }

  // MARK: - What has happened

  /// There is something new to read.
  mutating func ring() { hasMore = true }

  mutating func ringForDue() { hasDue = true }

  /// Something is lost to the subscriber. Two losses that were not told yet are one.
  mutating func missed(_ gap: WebhookProgress.Gap, at time: Date) {
    (progress.gap, progress.gapAt) = (gap, time)
  }

  mutating func take(_ page: WebhookEventPage, after number: Int, at time: Date) {
    guard number == last else { return }
    if progress.position > page.newest {
      // Another store than the one that it was counted in.
      queue = []
      progress.position = page.newest
      missed(.overflow, at: time)
    } else if page.oldest > number + 1, page.newest > number {
      missed(.overflow, at: time)
      if queue.isEmpty { progress.position = page.oldest - 1 }
    }
    queue.append(contentsOf: page.events)
    hasMore = !page.events.isEmpty
  }

  mutating func take(due letters: [DeadLetter]) {
    replays = letters[...]
    hasDue = false
  }

  /// The number after which to read on.
  private var last: Int { queue.last?.number ?? progress.position }

  // MARK: - What comes next

  mutating func next(at now: Date) -> Step {
    guard isEnabled else { return .rest(until: nil) }
    if hasDue { return .readDue }
    if let letter = replays.first { return .send(.replay(letter), attempt: letter.attempts + 1) }
    if let gap = progress.gap, let time = progress.gapAt {
      return pausing(at: now) ?? .send(.gap(gap, at: time), attempt: progress.attempts + 1)
    }
    while let event = queue.first, !wants(event) { pass(event) }
    guard let event = queue.first else { return hasMore ? .read(after: last) : .rest(until: nil) }
    // Nobody answers: what is as old as this would not arrive either. One that was tried has its last try.
    if progress.failures > 0, progress.attempts == 0, isOld(event, at: now) {
      let letter = self.letter(event, code: "expired", at: now)
      pass(event)
      return .bury(letter)
    }
    return pausing(at: now) ?? .send(.event(event), attempt: progress.attempts + 1)
  }

  private func pausing(at now: Date) -> Step? {
    guard let time = progress.nextTry, time > now else { return nil }
    return .rest(until: time)
  }

  private func isOld(_ event: WebhookEvent, at now: Date) -> Bool {
    now.timeIntervalSince(event.time) >= policy.retryFor
  }

  private mutating func pass(_ event: WebhookEvent) {
    progress.position = event.number
    progress.attempts = 0
    queue.removeFirst()
  }

  private func letter(_ event: WebhookEvent, code: String, at now: Date) -> DeadLetter {
    DeadLetter(
      webhook: id, message: name(of: .event(event)), event: event, attempts: progress.attempts, code: code, at: now)
  }

  // MARK: - What came of it

  /// - Parameter draw: 0...1, by chance.
  mutating func finished(_ message: Message, _ outcome: Outcome, at now: Date, draw: Double) -> Effect {
    switch outcome {
    case .delivered:
      (progress.failures, progress.failingSince, progress.nextTry) = (0, nil, nil)
      progress.lastSuccess = now
      return delivered(message)
    case .gone:
      progress.isGone = true
      isEnabled = false
      queue = []
      return .none
    case .failed(let code, let wish):
      if case .replay(let letter) = message {
        let others = Array(replays.dropFirst())
        replays = []
        return .retire(letter, code: code, others: others)
      }
      return failed(message, code, wish, at: now, draw: draw)
    }
  }

  private mutating func delivered(_ message: Message) -> Effect {
    switch message {
    case .event(let event):
      if queue.first == event { pass(event) }
    case .gap(_, let time):
      // Another may have come while this one was on its way.
      if progress.gapAt == time { (progress.gap, progress.gapAt) = (nil, nil) }
      progress.attempts = 0
    case .replay(let letter):
      if !replays.isEmpty { replays.removeFirst() }
      if replays.isEmpty { hasDue = true }
      return .forget(letter)
    }
    return .none
  }

  private mutating func failed(
    _ message: Message, _ code: String, _ wish: TimeInterval?, at now: Date, draw: Double
  ) -> Effect {
    progress.failures += 1
    progress.attempts += 1
    progress.failingSince = progress.failingSince ?? now
    let pause = policy.pause(after: progress.failures, draw: draw)
    var time = now + max(pause, min(wish ?? 0, Policy.longestWish))
    defer { progress.nextTry = time }
    guard case .event(let event) = message, queue.first == event else { return .none }
    guard isOld(event, at: now) else {
      // The last try comes when its time is up, not a whole pause later.
      if wish == nil { time = min(time, max(event.time + policy.retryFor, now + policy.pause(after: 1, draw: draw))) }
      return .none
    }
    let letter = self.letter(event, code: code, at: now)
    pass(event)
    return .bury(letter)
  }
}
