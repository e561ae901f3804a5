package import Foundation
import Synchronization

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
    /// What namespaces are told of it, by their names: of those that somebody follows.
    var own: [String: String] = [:]
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

  /// Most events that are kept for one namespace.
  package static let ownCapacity = 1024

  private let board: WaitingBoard<Ring>
  private let capacity: Int
  private let start: Date
  private let logs = Mutex<[String: EventLog]>([:])

  /// - Parameter start: of this process; ids of another one are before it.
  package init(start: Date = Date(), capacity: Int = EventLog.capacity) {
    (self.capacity, self.start) = (capacity, start)
    board = WaitingBoard(Ring(newest: Int(start.timeIntervalSince1970 * 1000) * 1000))
  }

  /// Id of the newest event, or what comes before the first.
  package var newest: Int { board.read { $0.newest } }

  package func add(_ kind: String, _ data: String) {
    board.change { $0.add(Event(id: $0.newest + 1, kind: kind, data: data), capacity) }
  }

  /// An event of a document, written with sorted keys; and what namespaces are told of it.
  func add(_ kind: String, of document: some Encodable, own: [String: some Encodable] = [String: String]()) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    func text(_ document: some Encodable) -> String? {
      (try? encoder.encode(document)).map { String(decoding: $0, as: UTF8.self) }
    }
    guard let data = text(document) else { return }
    add(kind, all: [data], own: { _ in own.compactMapValues { text($0) } })
  }

  // MARK: - Of one namespace

  /// Namespaces that somebody has asked for.
  var followed: [String] { logs.withLock { Array($0.keys) } }

  func isFollowed(_ namespace: String) -> Bool { logs.withLock { $0[namespace] != nil } }

  /// What one namespace is told, numbered for it alone, from the first time on that somebody asks.
  package func log(of namespace: String) -> EventLog {
    logs.withLock { logs in
      if let log = logs[namespace] { return log }
      let log = EventLog(start: start, capacity: min(capacity, Self.ownCapacity))
      logs[namespace] = log
      if isClosed { log.close() }
      return log
    }
  }

  /// Namespaces that are no more are told nothing, and who comes after them under their names finds nothing of theirs.
  func keep(only names: (String) -> Bool) {
    let gone = logs.withLock { logs in
      let gone = logs.filter { !names($0.key) }
      for name in gone.keys { logs[name] = nil }
      return gone
    }
    for log in gone.values { log.close() }
  }

  /// Who comes after a namespace under its name finds nothing of it.
  package func forget(_ namespace: String) {
    logs.withLock { $0.removeValue(forKey: namespace) }?.close()
  }

  /// Many events at once, of which those that would be gone at once are counted and not asked for their text.
  ///
  /// - Parameters:
  ///   - gone: how many there were before these already.
  ///   - labels: of what the event of an index, from 0, is about.
  func add(
    _ kind: String, all data: some RandomAccessCollection<String>, after gone: Int = 0,
    labels: (Int) -> [String: String] = { _ in [:] }, own: (Int) -> [String: String] = { _ in [:] }
  ) {
    guard !data.isEmpty else { return }
    let first = max(0, data.count - capacity)
    let texts = data.suffix(capacity).enumerated().map {
      ($0.element, labels(first + $0.offset), own(first + $0.offset))
    }
    let gone = gone + max(0, data.count - capacity)
    board.change { ring in
      if gone > 0 { ring.skip(gone) }
      for (text, labels, own) in texts {
        ring.add(Event(id: ring.newest + 1, kind: kind, data: text, labels: labels, own: own), capacity)
      }
    }
    let logs = logs.withLock { $0 }
    guard !logs.isEmpty else { return }
    // Whose they were nobody knows any more.
    if gone > 0 { for log in logs.values { log.board.change { $0.skip(1) } } }
    for (_, _, own) in texts {
      for (name, text) in own { logs[name]?.add(kind, text) }
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
  package func close() {
    board.close()
    for log in logs.withLock({ Array($0.values) }) { log.close() }
  }
}
