import ParvaTestSupport
import Testing

@testable import ParvaAPI

/// What is kept because it is asked for again.
@Suite struct BoundedCacheTests {
  @Test("whatever is kept stays within the bytes, and what is there is what was kept", arguments: 0..<8)
  func staysWithinItsBytes(number: Int) {
    let seed = TestSeed.of(offset: UInt64(number))
    var dice = SeededGenerator(seed: seed)
    let most = Int.random(in: 1_000...100_000, using: &dice)
    var cache = BoundedCache<Int, Int>(bytes: most)
    var kept: [Int: Int] = [:]
    for _ in 0..<2_000 {
      let (key, size) = (Int.random(in: 0..<200, using: &dice), Int.random(in: 0...most / 3, using: &dice))
      let isKnown = cache[key] != nil
      if !isKnown { kept[key] = size }
      cache.keep(isKnown ? cache[key] ?? 0 : size, for: key, bytes: size)
      #expect(cache.bytes <= most && cache.count <= most / 128, "seed \(seed)")
      if let value = cache[key] { #expect(value == kept[key], "seed \(seed)") }
      // What alone would fill it is not kept.
      if size > most / 4, !isKnown { #expect(cache[key] == nil, "seed \(seed)") }
    }
  }
}
