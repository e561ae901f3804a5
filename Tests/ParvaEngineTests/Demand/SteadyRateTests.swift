import ParvaEngine
import ParvaTestSupport
import Testing

@Suite struct SteadyRateTests {
  @Test("never below the last rate, and still while rates stay in the dead band", arguments: 0..<20)
  func laws(_ seed: Int) {
    var random = SeededGenerator(seed: UInt64(seed))
    let policy = SteadyRate.Policy(
      band: Double.random(in: 0...0.5, using: &random), hold: Double.random(in: 0...50, using: &random),
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
        #expect(time - (before.falling?.since ?? time) >= policy.hold, "seed \(seed)")
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

  @Test("without a policy every rate is planned for as it comes")
  func none() {
    var state = SteadyRate(3, at: 0, .none)
    for rate in [5, 2, 2.5, 0.1, 9] {
      state.observe(rate, at: 1, .none)
      #expect(state.planned == rate)
    }
  }
}
