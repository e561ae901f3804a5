/// A binary heap of items with keys, least key first and the lower item among equals.
struct PriorityQueue: Sendable {
  private var entries: [(key: Double, item: Int)] = []

  /// O(log n).
  mutating func insert(_ item: Int, _ key: Double) {
    entries.append((key, item))
    var child = entries.count - 1
    while child > 0, entries[child] < entries[(child - 1) / 2] {
      entries.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  /// Removes and returns the item with the least key. O(log n).
  mutating func popFirst() -> Int? {
    guard let least = entries.first, let last = entries.popLast() else { return nil }
    guard !entries.isEmpty else { return least.item }
    entries[0] = last
    var parent = 0
    while true {
      var child = 2 * parent + 1
      guard child < entries.count else { return least.item }
      if child + 1 < entries.count, entries[child + 1] < entries[child] { child += 1 }
      guard entries[child] < entries[parent] else { return least.item }
      entries.swapAt(child, parent)
      parent = child
    }
  }
}
