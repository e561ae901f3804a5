/// How the processes of a segment take requests.
public enum QueueForm: String, CaseIterable, Hashable, Sendable {
  /// One server with as many model instances as the segment has processes, which take from one queue.
  case shared
  /// A server for each process, each with a queue of its own and a random share of the segment's requests.
  case perProcess

  /// Queues before `processes` processes.
  func count(processes: Int) -> Int { self == .shared ? 1 : processes }
}
