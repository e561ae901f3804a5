import Foundation
import Testing

@testable import ParvaEngine

/// What is drawn has the distribution that its name says.
@Suite("Random arrivals") struct SamplersTests {
  @Test("logarithm and exponential agree with the C library")
  func elementary() {
    var random = Xoshiro256(seed: 5)
    for _ in 0..<100_000 {
      let x = exp(1400 * random.unit() - 700)
      #expect(abs(Elementary.log(x) - log(x)) <= 1e-15 * max(1, abs(log(x))))
      let y = 1400 * random.unit() - 700
      #expect(abs(Elementary.exp(y) / exp(y) - 1) < 1e-14)
    }
    #expect(Elementary.log(1) == 0)
    #expect(Elementary.exp(0) == 1)
  }

  /// Largest distance between the empirical and the true distribution, times the root of the number: above 1.95 once in
  /// a thousand samples (Kolmogorov).
  private func distance(_ sample: [Double], _ distribution: (Double) -> Double) -> Double {
    let sorted = sample.sorted()
    let count = Double(sorted.count)
    var worst = 0.0
    for (index, x) in sorted.enumerated() {
      let share = distribution(x)
      worst = max(worst, abs(share - Double(index) / count), abs(Double(index + 1) / count - share))
    }
    return worst * count.squareRoot()
  }

  @Test("exponential variates", arguments: [1, 2, 3] as [UInt64])
  func exponential(_ seed: UInt64) {
    var random = Xoshiro256(seed: seed)
    let sample = (0..<300_000).map { _ in ExponentialSampler.shared.next(&random) }
    #expect(distance(sample) { 1 - exp(-$0) } < 1.95)
    // The tail beyond the ziggurat: e^-7.7 of 300,000 is 136.
    let far = sample.count { $0 > 7.697_117_470_131_05 }
    #expect((90...185).contains(far))
  }

  @Test("gamma variates of shape 1 and 2 are exponential and Erlang")
  func erlang() {
    var random = Xoshiro256(seed: 9)
    var one = GammaSampler(cv2: 1)
    #expect(distance((0..<200_000).map { _ in one.next(&random) }) { 1 - exp(-$0) } < 1.95)
    var two = GammaSampler(cv2: 0.5)
    #expect(distance((0..<200_000).map { _ in two.next(&random) }) { 1 - exp(-2 * $0) * (1 + 2 * $0) } < 1.95)
  }

  @Test("gamma variates of shape 1/2 are squares of normal ones")
  func chiSquared() {
    var random = Xoshiro256(seed: 10)
    var half = GammaSampler(cv2: 2)
    #expect(distance((0..<200_000).map { _ in half.next(&random) }) { erf(($0 / 2).squareRoot()) } < 1.95)
  }

  @Test("gamma variates have the mean and variance asked for", arguments: [0.1, 4, 20])
  func moments(_ cv2: Double) {
    var random = Xoshiro256(seed: 3)
    var sampler = GammaSampler(cv2: cv2)
    let count = 1_000_000
    let sample = (0..<count).map { _ in sampler.next(&random) }
    let mean = sample.reduce(0, +) / Double(count)
    let variance = sample.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count)
    #expect(abs(mean - 1) < 4 * (cv2 / Double(count)).squareRoot())
    #expect(abs(variance / cv2 - 1) < 0.03)
  }

  @Test("a recording is played in a circle at mean 1")
  func recording() throws {
    let recording = try #require(ArrivalRecording(name: "r", arrivals: [10, 10, 12, 16]))
    #expect(recording.gaps == [0, 1, 2, 1])
    var source = GapSource(.recorded(recording), random: Xoshiro256(seed: 4))
    let played = [source.first()] + (0..<7).map { _ in source.next() }
    #expect((0..<4).contains { shift in (0..<8).allSatisfy { played[$0] == recording.gaps[($0 + shift) % 4] } })
    #expect(ArrivalRecording(name: "r", arrivals: [3, 3]) == nil)
    #expect(ArrivalRecording(name: "r", arrivals: [3, 2, 4]) == nil)
    #expect(ArrivalRecording(name: "r", arrivals: []) == nil)
  }

  @Test("a split gives every target its share")
  func split() {
    var random = Xoshiro256(seed: 6)
    let weights = [5.0, 0, 1, 0.25, 3.75]
    let table = SplitTable([7, 8, 9, 10, 11], weights: weights)
    var counts = [Int: Int]()
    for _ in 0..<1_000_000 { counts[table.pick(&random), default: 0] += 1 }
    for (index, weight) in weights.enumerated() {
      let share = weight / 10
      let deviation = 4 * (share * (1 - share) * 1e6).squareRoot()
      #expect(abs(Double(counts[7 + index] ?? 0) - share * 1e6) <= deviation)
    }
    #expect(SplitTable([], weights: []).isEmpty)
  }

  @Test("a rate curve uses up as much work as the area under it")
  func curve() {
    var curve = RateCurve(from: -10, [(5, 2, 0), (10, 0, 10), (30, 1, 0), (40, 3, 10), (45, 1, 0)])
    func factor(_ t: Double) -> Double {
      switch t {
      case ..<5: 1
      case ..<10: 2
      case ..<20: 2 - (t - 10) / 5
      case ..<30: 0
      case ..<40: 1
      case ..<45: 1 + (t - 40) / 5
      default: 1
      }
    }
    var (time, step) = (-10.0, 1e-3)
    var random = Xoshiro256(seed: 8)
    while time < 60 {
      let work = 3 * random.unit() * random.unit()
      let next = curve.advance(from: time, by: work)
      var (t, area) = (time, 0.0)
      while t < next {
        step = min(1e-3, next - t)
        area += factor(t + step / 2) * step
        t += step
      }
      #expect(abs(area - work) < 5e-3, "from \(time) to \(next)")
      time = next
    }
    var silent = RateCurve(from: 0, [(1, 0, 0)])
    #expect(silent.advance(from: 0, by: 2) == .infinity)
  }

  @Test("streams of different names, seeds and purposes differ")
  func streams() {
    var words = Set<UInt64>()
    for seed in 0..<10 as Range<UInt64> {
      for name in ["a", "b", "ab"] {
        for purpose in 0..<3 as Range<UInt64> {
          var random = Xoshiro256(seed: seed, name: name, purpose: purpose)
          words.insert(random.next())
        }
      }
    }
    #expect(words.count == 90)
  }
}
