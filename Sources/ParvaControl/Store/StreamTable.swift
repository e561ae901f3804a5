/// Streams that are told the same, each for as long as somebody listens. Whoever has it, guards it.
///
/// The guard must not be taken in a stream's `onTermination`: where the task that listens is cancelled, that runs under the
/// task's own lock, for which a `yield` to it waits, maybe under the guard. A task of its own removes the stream.
/// For the same reason no stream is finished under the guard.
package struct StreamTable<Element: Sendable>: Sendable {
  private var streams: [Int: AsyncStream<Element>.Continuation] = [:]
  private var next = 0

  package init() {}

  package var count: Int { streams.count }

  /// The number by which it is removed.
  package mutating func add(_ stream: AsyncStream<Element>.Continuation) -> Int {
    defer { next += 1 }
    streams[next] = stream
    return next
  }

  package mutating func remove(_ number: Int) { streams[number] = nil }

  package mutating func removeAll() -> [AsyncStream<Element>.Continuation] {
    defer { streams = [:] }
    return Array(streams.values)
  }

  package func yield(_ element: Element) { for stream in streams.values { stream.yield(element) } }
}
