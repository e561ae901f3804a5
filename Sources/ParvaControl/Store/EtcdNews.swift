/// What has come into the copy of late, for those in this process who follow it: one after the other, and within bounds.
struct EtcdNews: Sendable {
  /// In memory batches take a few times what they take unpacked. Large ones would fill it; who is behind them reads all anew.
  static let (mostCount, mostPlainBytes) = (4096, 32 << 20)

  struct One: Sendable {
    var batch: StoreBatch
    var position: Int
    var nonce: UInt64
    /// That it takes in etcd.
    var bytes: Int
    var plainBytes: Int
  }

  private(set) var all: [One] = []
  private(set) var plainBytes = 0
  /// The position before the first.
  private var first: Int

  init(after first: Int = 0) { self.first = first }

  /// The newest stays whatever it takes.
  mutating func add(_ batch: StoreBatch, position: Int, nonce: UInt64, bytes: Int, plainBytes: Int) {
    all.append(One(batch: batch, position: position, nonce: nonce, bytes: bytes, plainBytes: plainBytes))
    self.plainBytes += plainBytes
    while all.count > Self.mostCount || self.plainBytes > Self.mostPlainBytes, all.count > 1 {
      let gone = all.removeFirst()
      (first, self.plainBytes) = (gone.position, self.plainBytes - gone.plainBytes)
    }
  }

  /// What comes after a position, at most so many bytes beside the first; none where that is not known any more. O(those).
  func all(after position: Int, mostBytes: Int) -> ArraySlice<One> {
    guard position >= first, all.indices.contains(position - first) else { return [] }
    var bytes = 0
    let rest = all[(position - first)...]
    return rest.prefix(1)
      + rest.dropFirst().prefix { one in
        bytes += one.bytes
        return bytes <= mostBytes
      }
  }

  /// What comes after a position: `.reset` where that is not known any more, nil where it is the newest.
  func next(after position: Int) -> ReplicaNews? {
    guard position >= first else { return .reset(position: all.last?.position ?? first) }
    guard all.indices.contains(position - first) else { return nil }
    let one = all[position - first]
    return .batch(one.batch, position: one.position)
  }
}
