import Synchronization

/// What the outside world lends to a planner: cores and patience. The engine itself has neither threads nor a clock.
public struct PlanningContext: Sendable {
  /// Runs `body` for 0..<count, on as many cores as the caller likes, and returns after the last has ended. The result of
  /// a plan does not depend on how the calls are spread.
  public var forEach: @Sendable (_ count: Int, _ body: @Sendable (Int) -> Void) -> Void
  /// Whether a planner that could still improve should settle for what it has.
  public var shouldStop: @Sendable () -> Bool
  /// Whether what is worked out before a plan, such as capacities, should do with what there is, so that time is left for the plan.
  public var shouldHurry: @Sendable () -> Bool
  /// Whether half of the patience is over: a planner begins nothing more that takes long and can be left out.
  public var shouldSettle: @Sendable () -> Bool

  public init(
    forEach: @escaping @Sendable (_ count: Int, _ body: @Sendable (Int) -> Void) -> Void,
    shouldStop: @escaping @Sendable () -> Bool, shouldHurry: @escaping @Sendable () -> Bool = { false },
    shouldSettle: @escaping @Sendable () -> Bool = { false }
  ) {
    self.forEach = forEach
    self.shouldStop = shouldStop
    self.shouldHurry = shouldHurry
    self.shouldSettle = shouldSettle
  }

  /// The same cores and patience, with all the time that preparations take.
  var unhurried: PlanningContext {
    PlanningContext(forEach: forEach, shouldStop: shouldStop, shouldSettle: shouldSettle)
  }

  /// The same cores with patience for at most `checks` more questions whether to stop: a limit on work that does not
  /// depend on the clock.
  package func limited(to checks: Int) -> PlanningContext {
    let asked = Atomic(0)
    return PlanningContext(
      forEach: forEach,
      shouldStop: { [shouldStop] in
        asked.wrappingAdd(1, ordering: .relaxed).newValue > checks || shouldStop()
      }, shouldHurry: shouldHurry, shouldSettle: shouldSettle)
  }

  /// The same, with a note of whether anybody has been told to stop since.
  package func watched() -> (context: PlanningContext, hasStopped: @Sendable () -> Bool) {
    let stopped = Flag()
    func noting(_ asked: @escaping @Sendable () -> Bool) -> @Sendable () -> Bool {
      {
        guard asked() else { return false }
        stopped.value.store(true, ordering: .relaxed)
        return true
      }
    }
    let context = PlanningContext(
      forEach: forEach, shouldStop: noting(shouldStop), shouldHurry: noting(shouldHurry),
      shouldSettle: noting(shouldSettle))
    return (context, { stopped.value.load(ordering: .relaxed) })
  }

  private final class Flag: Sendable {
    let value = Atomic(false)
  }

  /// One core and no deadline.
  public static let serial = PlanningContext(
    forEach: { count, body in for index in 0..<count { body(index) } }, shouldStop: { false })
}
