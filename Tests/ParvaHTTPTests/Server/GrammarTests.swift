import ParvaTestSupport
import Testing

@Suite struct GrammarTests {
  @Test(arguments: try GrammarCase.load())
  func logIsTheSameHoweverTheInputIsCut(_ given: GrammarCase) {
    #expect(DecoderLog.of(given.input, cuts: []) == given.expected, "whole")
    #expect(DecoderLog.of(given.input, cuts: Array(0..<given.input.count)) == given.expected, "byte by byte")
    let seed = TestSeed.of()
    var random = SeededRandom(seed: seed)
    for _ in 0..<20 where given.input.count > 1 {
      let cuts = (0..<Int.random(in: 1...4, using: &random)).map { _ in
        Int.random(in: 0..<given.input.count, using: &random)
      }
      #expect(DecoderLog.of(given.input, cuts: cuts.sorted()) == given.expected, "seed \(seed), cut at \(cuts)")
    }
  }

  @Test func thereAreEnoughCases() throws {
    let cases = try GrammarCase.load()
    #expect(cases.count >= 150)
    #expect(Set(cases.map(\.testDescription)).count == cases.count)
  }
}

/// SplitMix64, so that a failing run can be repeated from its seed.
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
