/// A binary heap, least element first.
struct Heap<Element: Comparable & Sendable>: Sendable {
  private var elements: [Element] = []

  /// The least element. O(1).
  var first: Element? { elements.first }

  /// O(log n).
  mutating func insert(_ element: Element) {
    elements.append(element)
    var child = elements.count - 1
    while child > 0, elements[child] < elements[(child - 1) / 2] {
      elements.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  /// Removes and returns the least element. O(log n).
  mutating func popFirst() -> Element? {
    guard let least = elements.first, let last = elements.popLast() else { return nil }
    guard !elements.isEmpty else { return least }
    elements[0] = last
    var parent = 0
    while true {
      var child = 2 * parent + 1
      guard child < elements.count else { return least }
      if child + 1 < elements.count, elements[child + 1] < elements[child] { child += 1 }
      guard elements[child] < elements[parent] else { return least }
      elements.swapAt(child, parent)
      parent = child
    }
  }
}

/// An item of a heap with the key by which it is ordered, the lower item first among equal keys.
struct Keyed: Comparable, Sendable {
  var key: Double
  var item: Int

  static func < (a: Keyed, b: Keyed) -> Bool { (a.key, a.item) < (b.key, b.item) }
}
