/// A binary heap of integers, least first.
struct MinHeap: Sendable {
  private var items: [Int] = []

  /// The least element. O(1).
  var first: Int? { items.first }

  /// O(log n).
  mutating func insert(_ item: Int) {
    items.append(item)
    var child = items.count - 1
    while child > 0, items[child] < items[(child - 1) / 2] {
      items.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  /// Removes and returns the least element. O(log n).
  mutating func popFirst() -> Int? {
    guard let least = items.first, let last = items.popLast() else { return nil }
    guard !items.isEmpty else { return least }
    items[0] = last
    var parent = 0
    while true {
      var child = 2 * parent + 1
      guard child < items.count else { return least }
      if child + 1 < items.count, items[child + 1] < items[child] { child += 1 }
      guard items[child] < items[parent] else { return least }
      items.swapAt(child, parent)
      parent = child
    }
  }
}
