/// What a cover has to be beside enough: how many instances it has, and what it carries once some are lost.
///
/// That the domains a workload may lose are instances of their own is a relaxation, as is that instances stand apart: a plan
/// keeps the rule in any case, so bounds from it hold.
struct CoverRule: Hashable, Sendable {
  var atLeast = 1
  var atMost = Int.max
  /// Without this many of its largest instances the cover still carries the rate.
  var losses = 0
  /// What all instances together must carry, as a multiple of the rate: with m domains at most the n largest hold n/m of it.
  var whole = 1.0

  static let plain = CoverRule()

  /// Whether ``CoverSolver`` and ``BoundedCover`` know all of it.
  var isCounted: Bool { atMost == .max && losses == 0 }

  /// Whether one instance fewer matters only by what it carries.
  var isPlain: Bool { isCounted && atLeast == 1 }
}
