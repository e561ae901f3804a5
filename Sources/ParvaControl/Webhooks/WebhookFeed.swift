import Foundation
import Synchronization

/// Has what happens become events for subscribers, as soon as anybody is told of it.
final class WebhookFeed: Sendable {
  private struct State {
    var news: WebhookNews
    var wanted: Set<WebhookInterest> = []
  }

  private let now: @Sendable () -> Date
  private let state: Mutex<State>
  /// Grows with every batch that had events.
  let board = WaitingBoard(0)

  /// Tells of states of workloads, and of what plans have for namespaces.
  private let log: EventLog

  init(_ contents: StoreContents, log: EventLog, now: @escaping @Sendable () -> Date) {
    (self.log, self.now) = (log, now)
    state = Mutex(State(news: WebhookNews(contents)))
  }

  /// What anybody is told of.
  var wanted: Set<WebhookInterest> {
    get { state.withLock(\.wanted) }
    set {
      for name in newValue.compactMap(\.namespace) { _ = log.log(of: name) }
      state.withLock { $0.wanted = newValue }
    }
  }

  /// Adds to a batch what subscribers are told of it.
  func complete(_ batch: inout StoreBatch) -> (@Sendable () -> Void)? {
    let time = now()
    let (events, knowledge, wanted) = state.withLock { state in
      let (events, knowledge) = state.news.events(of: batch, at: time)
      return (events, knowledge, state.wanted)
    }
    batch.webhookEvents += events.filter { wanted.contains(WebhookInterest($0.namespace, $0.type)) }
    let hasEvents = !batch.webhookEvents.isEmpty
    return { [self] in
      state.withLock { $0.news.learn(knowledge) }
      if hasEvents { board.change { $0 += 1 } }
    }
  }

  /// Has states of workloads become events, and what plans have for namespaces, as the log tells of them. Until the log is
  /// closed.
  ///
  /// - Parameter missed: called where some are lost to subscribers.
  func follow(
    after first: Int, store: any Store, missed: @Sendable (WebhookProgress.Gap) -> Void
  ) async {
    var last = first
    var isLost = false
    while !Task.isCancelled, !log.isClosed {
      let found = await log.next(after: last, within: isLost ? .seconds(1) : .seconds(3600))
      last = found.last
      let wanted = wanted.filter { $0.namespace != nil || $0.type == .workloadChanged }
      guard !wanted.isEmpty else {
        isLost = false
        continue
      }
      if found.hasGap { missed(.overflow) }
      var batch = StoreBatch()
      let time = now()
      batch.webhookEvents = found.events.flatMap { Self.told(of: $0, wanted, at: time) }
      do throws(StoreError) {
        if !batch.isEmpty { try await store.commit(batch) } else if isLost { try await store.probe() }
        if isLost { missed(.store) }
        isLost = false
      } catch {
        isLost = true
      }
    }
  }

  /// What subscribers are told of an event of the log, each in the words that are for it.
  private static func told(
    of event: EventLog.Event, _ wanted: Set<WebhookInterest>, at time: Date
  ) -> [WebhookEvent] {
    let type: WebhookEventType
    switch event.kind {
    case "workload": type = .workloadChanged
    case "plan": type = .planPublished
    default: return []
    }
    func made(_ text: String, _ namespace: String?) -> WebhookEvent? {
      guard wanted.contains(WebhookInterest(namespace, type)) else { return nil }
      var data = Data(text.utf8)
      if type.hasLabels {
        let labels = WebhookNews.json(event.labels) ?? Data("{}".utf8)
        data = data.dropLast() + Data(#","labels":"#.utf8) + labels + Data("}".utf8)
      }
      return WebhookEvent(time: time, type: type, namespace: namespace, labels: event.labels, data: data)
    }
    return [made(event.data, nil)].compactMap(\.self)
      + event.own.sorted { $0.key < $1.key }.compactMap { made($0.value, $0.key) }
  }
}
