import Foundation
import Synchronization

/// Has what happens become events for subscribers, as soon as anybody is told of it.
final class WebhookFeed: Sendable {
  private struct State {
    var news: WebhookNews
    var wanted: Set<WebhookEventType> = []
  }

  private let now: @Sendable () -> Date
  private let state: Mutex<State>
  /// Grows with every batch that had events.
  let board = WaitingBoard(0)

  init(_ contents: StoreContents, now: @escaping @Sendable () -> Date) {
    self.now = now
    state = Mutex(State(news: WebhookNews(contents)))
  }

  /// What anybody is told of.
  var wanted: Set<WebhookEventType> {
    get { state.withLock(\.wanted) }
    set { state.withLock { $0.wanted = newValue } }
  }

  /// Adds to a batch what subscribers are told of it.
  func complete(_ batch: inout StoreBatch) -> (@Sendable () -> Void)? {
    let time = now()
    let (events, knowledge, wanted) = state.withLock { state in
      let (events, knowledge) = state.news.events(of: batch, at: time)
      return (events, knowledge, state.wanted)
    }
    batch.webhookEvents += events.filter { wanted.contains($0.type) }
    let hasEvents = !batch.webhookEvents.isEmpty
    return { [self] in
      state.withLock { $0.news.learn(knowledge) }
      if hasEvents { board.change { $0 += 1 } }
    }
  }

  /// Has states of workloads become events, as the log tells of them. Until the log is closed.
  ///
  /// - Parameter missed: called where some are lost to subscribers.
  func follow(
    _ log: EventLog, after first: Int, store: any Store, missed: @Sendable (WebhookProgress.Gap) -> Void
  ) async {
    var last = first
    var isLost = false
    while !Task.isCancelled, !log.isClosed {
      let found = await log.next(after: last, within: isLost ? .seconds(1) : .seconds(3600))
      last = found.last
      guard wanted.contains(.workloadChanged) else {
        isLost = false
        continue
      }
      if found.hasGap { missed(.overflow) }
      var batch = StoreBatch()
      let time = now()
      batch.webhookEvents = found.events.filter { $0.kind == "workload" }.map { event in
        let labels = WebhookNews.json(event.labels) ?? Data("{}".utf8)
        let data = Data(event.data.utf8.dropLast()) + Data(#","labels":"#.utf8) + labels + Data("}".utf8)
        return WebhookEvent(time: time, type: .workloadChanged, labels: event.labels, data: data)
      }
      do throws(StoreError) {
        if !batch.isEmpty { try await store.commit(batch) } else if isLost { try await store.probe() }
        if isLost { missed(.store) }
        isLost = false
      } catch {
        isLost = true
      }
    }
  }
}
