/// MIG without MPS: the published method with one process per instance, so that its distance to `parvagpu` shows what
/// processes that share an instance are worth.
public struct MIGOnlyPlanner: Planner {
  public let name = "mig-only"
  public let summary = "the published heuristic with one process an instance"

  public init() {}

  public func plan(_ input: PlanningInput, _ context: PlanningContext) -> Plan {
    var single = input
    single.options.maxProcesses = 1
    return ParvaGPUPlanner.method.plan(Market(single, context), planner: name)
  }
}
