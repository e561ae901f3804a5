/// xoshiro256++ (Blackman and Vigna, 2021): four words of state, period 2^256 - 1.
struct Xoshiro256: Sendable {
  private var s0: UInt64
  private var s1: UInt64
  private var s2: UInt64
  private var s3: UInt64

  /// The state is drawn from the seed by SplitMix64, as the authors advise, so that seeds 1, 2, 3 are unrelated streams.
  init(seed: UInt64) {
    var mixer = seed
    s0 = Self.mix(&mixer)
    s1 = Self.mix(&mixer)
    s2 = Self.mix(&mixer)
    s3 = Self.mix(&mixer)
  }

  /// A stream of its own for one purpose of one workload: it does not depend on which other workloads there are.
  init(seed: UInt64, name: String, purpose: UInt64) {
    var mixer = seed
    var state = Self.mix(&mixer) ^ StableHash.value(of: name)
    state = Self.mix(&state) &+ purpose
    self.init(seed: state)
  }

  private static func mix(_ state: inout UInt64) -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  mutating func next() -> UInt64 {
    let sum = s0 &+ s3
    let result = ((sum << 23) | (sum >> 41)) &+ s0
    let t = s1 << 17
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= t
    s3 = (s3 << 45) | (s3 >> 19)
    return result
  }

  /// Uniform in (0, 1): never 0, so that its logarithm is finite.
  mutating func unit() -> Double { (Double(next() >> 11) + 0.5) * 0x1p-53 }
}
