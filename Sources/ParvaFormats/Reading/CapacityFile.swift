package import Foundation
package import ParvaEngine

/// What was found out about capacities, as a file or a row of a store: a line that names the format, a checksum, and the facts.
///
/// It only ever saves time, so whatever is wrong with a file, it holds nothing.
package enum CapacityFile {
  /// Bytes of a file at most; facts beyond it are left out.
  package static let limit = 16 << 20
  private static let magic = Data("parva capacities 1\n".utf8)

  /// As many of the facts, in order, as the limit allows. O(facts).
  package static func data(_ facts: [CapacityFacts]) -> Data {
    var words: [UInt64] = []
    for fact in facts {
      guard magic.count + 8 * (words.count + 1) + size(fact) <= limit else { break }
      words += [fact.key.high, fact.key.low, UInt64(fact.entries.count)] + fact.entries
    }
    var data = magic
    for word in [checksum(words)] + words { withUnsafeBytes(of: word.littleEndian) { data.append(contentsOf: $0) } }
    return data
  }

  /// Bytes that one of the facts takes.
  package static func size(_ fact: CapacityFacts) -> Int { 8 * (fact.entries.count + 3) }

  /// Nothing where the file is not one of ours, whole and as it was written. O(bytes).
  package static func facts(_ data: Data) -> [CapacityFacts] {
    guard data.count <= limit, data.starts(with: magic), (data.count - magic.count) % 8 == 0 else { return [] }
    var words: [UInt64] = []
    words.reserveCapacity(data.count / 8)
    var word: UInt64 = 0
    for (index, byte) in data.dropFirst(magic.count).enumerated() {
      word |= UInt64(byte) << UInt64(index % 8 * 8)
      if index % 8 == 7 {
        words.append(word)
        word = 0
      }
    }
    guard let sum = words.first, sum == checksum(words.dropFirst()) else { return [] }
    var rest = words.dropFirst()
    var facts: [CapacityFacts] = []
    while let high = rest.popFirst() {
      guard let low = rest.popFirst(), let count = rest.popFirst(), count <= UInt64(rest.count) else { return [] }
      facts.append(CapacityFacts(key: .init(high: high, low: low), entries: Array(rest.prefix(Int(count)))))
      rest = rest.dropFirst(Int(count))
    }
    return facts
  }

  private static func checksum(_ words: some Sequence<UInt64>) -> UInt64 {
    words.reduce(0xcbf2_9ce4_8422_2325) { sum, word in
      let mixed = (sum ^ word) &* 0x9e37_79b9_7f4a_7c15
      return mixed ^ mixed >> 29
    }
  }
}
