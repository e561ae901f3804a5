/// What one instance kind can do for a workload: the best admissible point, and the load it may be given.
struct Offer: Hashable, Sendable {
  /// Requests per second; 0 where no point is admissible.
  var capacity: Double
  var batch: Int32
  var processes: Int32
  var latencyMs: Double

  static let none = Offer(capacity: 0, batch: 0, processes: 0, latencyMs: 0)
}
