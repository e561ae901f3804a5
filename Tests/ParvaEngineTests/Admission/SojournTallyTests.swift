import ParvaTestSupport
import Testing

@testable import ParvaEngine

/// Which sojourns need not be counted, against counting all.
@Suite struct SojournTallyTests {
  @Test("leaving out what cannot be kept any more changes no answer", arguments: [0.9, 1, 1.3])
  func leftOut(_ scale: Double) {
    let tail = 0.01
    let arrivals = ArrivalStore().drawn(cv2: 1, tail: tail, exponent: CapacityGrid.shortRun)
    let patience = SojournPatience(arrivals, tail: tail)
    var (left, ended) = (0, 0)
    for seed in UInt64(0)..<8 {
      var random = SeededGenerator(seed: TestSeed.of(offset: seed))
      // About where a hundredth of the sojourns below is longer.
      let objective = CapacityGrid.step(ofObjective: 56 * scale)
      var (all, some) = (SojournTally(), SojournTally())
      all.clear(shortest: 10, objective: objective)
      some.clear(shortest: 10, objective: objective)
      var threshold = 0.0
      var isMissed = false
      for group in 0..<arrivals.groups where !isMissed {
        let strain = Double.random(in: 0.7...1.3, using: &random)
        for number in 0..<arrivals.groupSize {
          let sojourn = 10 - 10 * strain * Elementary.log(Double.random(in: 1e-9..<1, using: &random))
          all.count(sojourn, group: group)
          if sojourn >= threshold { some.count(sojourn, group: group) } else { left += 1 }
          if number % 64 == 63 { threshold = some.rise(allowed: patience.allowed[group]) }
        }
        threshold = some.rise(allowed: patience.allowed[group])
        isMissed = all.late > patience.allowed[group]
        #expect((some.late > patience.allowed[group]) == isMissed, "seed \(seed), group \(group)")
      }
      guard !isMissed else { continue }
      ended += 1
      #expect(all.leastStep(patience, floor: 0) == some.leastStep(patience, floor: threshold), "seed \(seed)")
    }
    #expect(left > 10_000)
    #expect(scale < 1.3 || ended > 0)
  }
}
