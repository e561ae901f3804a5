/// What a plan gives to one segment, to be judged by an admission rule.
struct CapacityClaim {
  var workload: Workload
  /// The model's profile on the GPU's product, and the point of it at which the segment runs.
  var profile: ModelProfile
  var point: ProfilePoint
  /// Requests per second.
  var capacity: Double
}

/// What is wrong with a claim, in one sentence for a person.
enum CapacityFault: Hashable {
  /// The point does not keep the SLO at any load.
  case sloMissed(String)
  case overCapacity(String)
}

/// How ``PlanChecker`` judges what segments are given under one admission rule. It shares no code with the rule.
protocol CapacityJudge {
  /// What is wrong with each claim, nil where nothing is.
  ///
  /// - Parameter context: lends the cores; what is found does not depend on it.
  func faults(_ claims: [CapacityClaim], _ context: PlanningContext) -> [CapacityFault?]

  /// The most that one instance may be given, by index of its profile, with at most `maxProcesses` processes; profiles
  /// that cannot serve the workload are left out.
  func most(_ workload: Workload, _ profile: ModelProfile, maxProcesses: Int) -> [Int: Double]
}
