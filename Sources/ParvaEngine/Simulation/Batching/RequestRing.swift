/// A bounded first-in first-out queue of arrival times, in one array that is a power of two long.
struct RequestRing: Sendable {
  private var slots: [Double]
  private var head = 0
  private(set) var count = 0
  private let limit: Int

  /// - Parameter limit: most requests held, at least 1.
  init(limit: Int) {
    self.limit = limit
    slots = [Double](repeating: 0, count: 64)
  }

  var isFull: Bool { count >= limit }

  /// Arrival time of the request at `index` from the oldest; `index` is below ``count``.
  subscript(index: Int) -> Double { slots[(head &+ index) & (slots.count &- 1)] }

  /// Must not be called on a full queue. Amortised O(1).
  mutating func append(_ arrival: Double) {
    if count == slots.count { grow() }
    slots[(head &+ count) & (slots.count &- 1)] = arrival
    count += 1
  }

  mutating func removeFirst(_ number: Int) {
    head = (head &+ number) & (slots.count &- 1)
    count -= number
  }

  private mutating func grow() {
    var wider = [Double](repeating: 0, count: 2 * slots.count)
    for index in 0..<count { wider[index] = self[index] }
    slots = wider
    head = 0
  }
}
