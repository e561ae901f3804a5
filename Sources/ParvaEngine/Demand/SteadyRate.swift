/// The rate to plan for where a workload's rate goes up and down: it follows increases at once and decreases late.
///
/// A pure function of the rates as they come with their times: whoever has seen the same has the same state. The planned
/// rate is never below the last rate seen, so a plan for it serves at least what a plan for that would.
public struct SteadyRate: Hashable, Sendable {
  /// When the planned rate is kept and when it changes.
  public struct Policy: Hashable, Sendable {
    /// Dead band: rates from `planned x (1 - band)` to `planned` change nothing. In 0..<1.
    public var band: Double
    /// Seconds for which all rates have to be below the dead band before the planned rate falls, see ``depth``; at least 0.
    public var hold: Double
    /// A fall by this share of the planned rate waits the whole hold time; a deeper one less, in proportion: twice as deep,
    /// half as long. In 0...1; with 1 all wait as long.
    public var depth: Double
    /// Share of the rate that is added whenever the planned rate changes, for growth that comes next; at least 0, and
    /// below the band to be of use.
    public var reserve: Double

    public init(band: Double, hold: Double, depth: Double = 1, reserve: Double = 0) {
      self.band = band
      self.hold = hold
      self.depth = depth
      self.reserve = reserve
    }

    /// Seconds that a fall to `rate` from `planned`, both above 0, waits: at most ``hold``, and the less the lower the rate.
    public func wait(to rate: Double, from planned: Double) -> Double {
      let fall = 1 - rate / planned
      return fall > depth ? hold * depth / fall : hold
    }

    /// Every rate is planned for as it comes.
    public static let none = Policy(band: 0, hold: 0)
  }

  /// Requests per second to plan for.
  public private(set) var planned: Double
  /// When the planned rate was set, in seconds of whoever tells the rates.
  public private(set) var since: Double
  /// Since when all rates were below the dead band, and the largest of them; nil while the last was not.
  public private(set) var falling: Falling?

  public struct Falling: Hashable, Sendable {
    public var since: Double
    public var highest: Double
  }

  /// The first rate seen.
  public init(_ rate: Double, at time: Double, _ policy: Policy) {
    planned = rate * (1 + policy.reserve)
    since = time
  }

  /// The next rate seen; times do not fall. O(1).
  public mutating func observe(_ rate: Double, at time: Double, _ policy: Policy) {
    if rate > planned {
      self = SteadyRate(rate, at: time, policy)
    } else if rate < planned * (1 - policy.band) {
      let start = Falling(since: falling?.since ?? time, highest: max(falling?.highest ?? 0, rate))
      if time >= start.since + policy.wait(to: start.highest, from: planned) {
        // Never up again on the way down.
        let lower = min(planned, start.highest * (1 + policy.reserve))
        self = SteadyRate(planned: lower, since: time)
      } else {
        falling = start
      }
    } else {
      falling = nil
    }
  }

  /// The rate that was planned for before; nothing of what was seen then is known.
  public init(planned: Double, since: Double) {
    self.planned = planned
    self.since = since
  }

  /// When the planned rate falls if no rate comes that is within the dead band or above; nil while none is below.
  public func fallsAt(_ policy: Policy) -> Double? {
    falling.map { $0.since + policy.wait(to: $0.highest, from: planned) }
  }
}
