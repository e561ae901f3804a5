import ParvaTestSupport
import Testing

@testable import ParvaControl

@Suite struct EtcdPatienceTests {
  @Test(
    "members of any speed up to the bound are answered after few attempts, and quick ones are not waited for long",
    arguments: 0..<20 as Range<UInt64>)
  func growsAndShrinks(_ seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let least = Duration.milliseconds(250)
    var patience = EtcdPatience(least)
    for _ in 0..<50 {
      let time = Duration.milliseconds(Int.random(in: 1...2999, using: &random))
      var attempts = 0
      while patience.now < time {
        patience.waitedInVain()
        attempts += 1
      }
      #expect(attempts <= 4)
      // A network that stays as slow as this never has one given up again, with a little to spare.
      for _ in 0..<20 {
        patience.answered(after: time)
        #expect(patience.now >= min(patience.most, time * 4) && patience.now <= patience.most)
      }
      for _ in 0..<20 { patience.answered(after: .milliseconds(2)) }
      #expect(patience.now == least)
    }
    for _ in 0..<100 { patience.waitedInVain() }
    #expect(patience.now == .seconds(3))
  }
}
