/// Values that can be made again, as many as so many bytes hold. When it is full it begins anew: what is asked for often comes
/// back at once, and nothing has to be kept of who was asked for when.
struct BoundedCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  /// What an entry costs beside what it is said to hold.
  private static var overhead: Int { 128 }

  private let most: Int
  private(set) var bytes = 0
  private var values: [Key: Value] = [:]

  init(bytes most: Int) { self.most = most }

  var count: Int { values.count }

  subscript(key: Key) -> Value? { values[key] }

  /// Keeps a value, unless it alone is more than a quarter of all that is kept.
  mutating func keep(_ value: Value, for key: Key, bytes size: Int) {
    let cost = size + Self.overhead
    guard values[key] == nil, cost <= most / 4 else { return }
    if bytes + cost > most { (values, bytes) = ([:], 0) }
    values[key] = value
    bytes += cost
  }
}
