import ParvaEngine
import ParvaTestSupport
import Testing

@Suite struct SteadyRateTests {
  @Test("never below the last rate, and still while rates stay in the dead band", arguments: 0..<20)
  func laws(_ seed: Int) {
    var random = SeededGenerator(seed: UInt64(seed))
    let policy = SteadyRate.Policy(
      band: Double.random(in: 0...0.5, using: &random), hold: Double.random(in: 0...50, using: &random),
      depth: seed % 2 == 0 ? 1 : Double.random(in: 0...1, using: &random),
      reserve: Double.random(in: 0...0.2, using: &random))
    var rate = 100.0
    var time = 0.0
    var state = SteadyRate(rate, at: time, policy)
    for _ in 0..<400 {
      rate *= Double.random(in: 0.85...1.17, using: &random)
      time += Double.random(in: 0...10, using: &random)
      let before = state
      state.observe(rate, at: time, policy)
      #expect(state.planned >= rate, "seed \(seed)")
      if rate <= before.planned, rate >= before.planned * (1 - policy.band) {
        #expect(state.planned == before.planned && state.since == before.since, "seed \(seed)")
      }
      if state.planned < before.planned {
        let highest = max(before.falling?.highest ?? rate, rate)
        let wait = policy.wait(to: highest, from: before.planned)
        #expect(time >= (before.falling?.since ?? time) + wait && wait <= policy.hold, "seed \(seed)")
        if policy.depth == 1 { #expect(wait == policy.hold, "seed \(seed)") }
        #expect(rate < before.planned * (1 - policy.band), "seed \(seed)")
      }
      if rate > before.planned { #expect(state.planned == rate * (1 + policy.reserve), "seed \(seed)") }
    }
  }

  @Test("a fall waits until the hold is over, then goes to the highest rate of that time")
  func holds() {
    let policy = SteadyRate.Policy(band: 0.1, hold: 10)
    var state = SteadyRate(100, at: 0, policy)
    state.observe(50, at: 5, policy)
    state.observe(70, at: 10, policy)
    #expect(state.planned == 100)
    state.observe(60, at: 15, policy)
    #expect(state.planned == 70 && state.since == 15 && state.falling == nil)
    // One rate within the dead band begins the wait anew.
    state.observe(10, at: 16, policy)
    state.observe(69, at: 20, policy)
    state.observe(10, at: 26, policy)
    #expect(state.planned == 70)
    state.observe(10, at: 36, policy)
    #expect(state.planned == 10)
  }

  @Test("a fall deeper than the depth waits less, in proportion, and whoever comes up meanwhile waits on")
  func deepFalls() {
    let policy = SteadyRate.Policy(band: 0.1, hold: 10, depth: 0.2)
    #expect([90, 80, 60, 20, 0].map { policy.wait(to: $0, from: 100) } == [10, 10, 5, 2.5, 2])
    var state = SteadyRate(100, at: 0, policy)
    state.observe(20, at: 1, policy)
    #expect(state.fallsAt(policy) == 3.5)
    // The highest rate since then says how deep the fall is.
    state.observe(60, at: 3, policy)
    #expect(state.planned == 100 && state.fallsAt(policy) == 6)
    state.observe(10, at: 6, policy)
    #expect(state.planned == 60 && state.falling == nil)
    // One rate near the planned one, and there was no fall.
    state.observe(20, at: 7, policy)
    state.observe(59, at: 8, policy)
    #expect(state.falling == nil && state.fallsAt(policy) == nil)
    let atOnce = SteadyRate.Policy(band: 0.1, hold: 10, depth: 0)
    state.observe(50, at: 9, atOnce)
    #expect(state.planned == 50)
  }

  @Test("lower rates are not planned for higher, nor followed later; falls wait at most the hold", arguments: 0..<20)
  func monotone(_ seed: Int) {
    var random = SeededGenerator(seed: UInt64(seed) &+ 700)
    for _ in 0..<200 {
      let policy = SteadyRate.Policy(
        band: Double.random(in: 0...0.3, using: &random), hold: Double.random(in: 0...20, using: &random),
        depth: Double.random(in: 0...1, using: &random))
      var (upper, lower) = (SteadyRate(100, at: 0, policy), SteadyRate(100, at: 0, policy))
      // From the same planned rate on the way down, until the upper one is planned for lower.
      var time = 0.0
      var highest = 0.0
      var followed: Double?
      for _ in 0..<12 where upper.planned == 100 {
        time += Double.random(in: 0...6, using: &random)
        let rate = Double.random(in: 1..<(100 * (1 - policy.band)), using: &random)
        highest = max(highest, rate)
        upper.observe(rate, at: time, policy)
        if lower.planned == 100 {
          lower.observe(rate * Double.random(in: 0.5...1, using: &random), at: time, policy)
          if lower.planned < 100 { followed = time }
        }
        #expect(lower.planned <= upper.planned, "seed \(seed)")
        guard let start = upper.falling else { continue }
        #expect(time < start.since + policy.hold && start.highest == highest, "seed \(seed)")
      }
      if upper.planned < 100 { #expect(followed != nil && upper.planned == highest, "seed \(seed)") }
    }
  }

  @Test("without a policy every rate is planned for as it comes")
  func none() {
    var state = SteadyRate(3, at: 0, .none)
    for rate in [5, 2, 2.5, 0.1, 9] {
      state.observe(rate, at: 1, .none)
      #expect(state.planned == rate)
    }
  }
}
