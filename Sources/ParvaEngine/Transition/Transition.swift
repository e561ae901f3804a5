/// A way from what stands to what is to stand, in waves.
///
/// The steps of one wave may happen in any order and at the same time, except that on one GPU what goes makes room for
/// what comes. The next wave begins when everything that this one makes is up.
public struct Transition: Hashable, Sendable {
  public enum Action: Hashable, Sendable {
    case create, destroy
  }

  public struct Step: Hashable, Sendable {
    public var action: Action
    /// Index into ``TransitionInput/gpus``.
    public var gpu: Int
    public var segment: StandingSegment
    /// Whether it is there for the way only.
    public var isTemporary: Bool
  }

  public struct Wave: Hashable, Sendable {
    /// By GPU; what goes before what comes.
    public var steps: [Step]
  }

  /// What one workload has on the way.
  public struct Outlook: Hashable, Sendable {
    public var workload: String
    public var rateBefore: Double
    public var rateAfter: Double
    public var capacityBefore: Double
    public var capacityAfter: Double
    /// Requests per second that stand at the worst moment, while the steps of a wave are under way.
    public var least: Double
    /// Wave at which that is, from 0; nil where it is never less than at the beginning.
    public var leastWave: Int?
    /// Share of the lesser of both rates that it may lack on the way.
    public var maxUnavailable: Double
    /// What it is to have at every moment: the lesser of both rates, less what it may lack.
    public var floor: Double { min(rateBefore, rateAfter) * (1 - maxUnavailable) }
    /// By how much the worst moment falls below ``floor``, in requests per second.
    public var shortfall: Double {
      let missing = floor - least
      // Nobody falls short of nothing, whatever sums of capacities leave over.
      return floor > 0 && missing > Tolerance.relative * floor ? missing : 0
    }
  }

  public internal(set) var waves: [Wave]
  /// By workload.
  public internal(set) var outlooks: [Outlook]
  /// Segments made for the way only.
  public internal(set) var temporaries: Int

  /// Whether every workload keeps the lesser of both rates at every moment.
  public var keepsService: Bool { outlooks.allSatisfy { $0.shortfall == 0 } }
  public var isEmpty: Bool { waves.isEmpty }
}
