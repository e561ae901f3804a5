package import Foundation

/// What happens to plans, operations, nodes and workloads, numbered, for those who follow it. As many events are kept as
/// ``capacity`` says; who falls behind further than that is told, and not waited for.
package final class EventLog: Sendable {
  package struct Event: Hashable, Sendable {
    /// Grows from event to event, over restarts too while the clock does not go back.
    package var id: Int
    /// `plan`, `operation`, `node` or `workload`.
    package var kind: String
    /// A JSON object on one line.
    package var data: String
    /// Of what it is about, where that has labels; not told with the event.
    var labels: [String: String] = [:]
  }

  /// What a follower gets at once.
  package struct Batch: Hashable, Sendable {
    package var events: [Event]
    /// Whether some that came before these are gone.
    package var hasGap: Bool
    /// The id to go on after.
    package var last: Int
  }

  package static let capacity = 4096
  /// Events of one batch: what a reader that takes nothing holds in memory.
  package static let batch = 64

  private struct Ring: Sendable {
    /// Id of the newest event that was ever added.
    var newest: Int
    var events: [Event] = []
    /// Index of the oldest one once the ring is full.
    var oldest = 0

    mutating func add(_ event: Event, _ capacity: Int) {
      newest = event.id
      if events.count < capacity {
        events.append(event)
      } else {
        events[oldest] = event
        oldest = (oldest + 1) % capacity
      }
    }

    /// Numbers that nobody reads any more: all that came before goes with them.
    mutating func skip(_ count: Int) {
      newest += count
      events = []
      oldest = 0
    }

    /// Those after an id, oldest first. Ids are without holes. O(batch).
    func batch(after id: Int) -> Batch {
      let first = newest - events.count + 1
      let isKnown = id >= first - 1 && id <= newest
      let begin = isKnown ? id + 1 : first
      let count = min(EventLog.batch, newest - begin + 1)
      let found = (0..<max(0, count)).map { events[(oldest + begin - first + $0) % events.count] }
      return Batch(events: found, hasGap: !isKnown, last: found.last?.id ?? (isKnown ? id : newest))
    }
  }

  private let board: WaitingBoard<Ring>
  private let capacity: Int

  /// - Parameter start: of this process; ids of another one are before it.
  package init(start: Date = Date(), capacity: Int = EventLog.capacity) {
    self.capacity = capacity
    board = WaitingBoard(Ring(newest: Int(start.timeIntervalSince1970 * 1000) * 1000))
  }

  /// Id of the newest event, or what comes before the first.
  package var newest: Int { board.read { $0.newest } }

  package func add(_ kind: String, _ data: String) {
    board.change { $0.add(Event(id: $0.newest + 1, kind: kind, data: data), capacity) }
  }

  /// An event of a document, written with sorted keys.
  func add(_ kind: String, of document: some Encodable) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(document) else { return }
    add(kind, String(decoding: data, as: UTF8.self))
  }

  /// Many events at once, of which those that would be gone at once are counted and not asked for their text.
  ///
  /// - Parameters:
  ///   - gone: how many there were before these already.
  ///   - labels: of what the event of an index, from 0, is about.
  func add(
    _ kind: String, all data: some RandomAccessCollection<String>, after gone: Int = 0,
    labels: (Int) -> [String: String] = { _ in [:] }
  ) {
    guard !data.isEmpty else { return }
    let first = max(0, data.count - capacity)
    let texts = data.suffix(capacity).enumerated().map { ($0.element, labels(first + $0.offset)) }
    let gone = gone + max(0, data.count - capacity)
    board.change { ring in
      if gone > 0 { ring.skip(gone) }
      for (text, labels) in texts {
        ring.add(Event(id: ring.newest + 1, kind: kind, data: text, labels: labels), capacity)
      }
    }
  }

  /// What has come after an event as soon as there is something, or nothing after `duration`.
  package func next(after id: Int, within duration: Duration) async -> Batch {
    await board.wait(for: duration) { ring in
      let batch = ring.batch(after: id)
      return (batch, !batch.events.isEmpty || batch.hasGap)
    }
  }

  package var isClosed: Bool { board.isClosed }

  /// Ends all waiting, now and from now on: the controller stops.
  package func close() { board.close() }
}
