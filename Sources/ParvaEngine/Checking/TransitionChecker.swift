/// What is wrong with a transition, by the places it names.
public struct TransitionFault: Hashable, Sendable, CustomStringConvertible {
  public var wave: Int
  public var description: String
}

/// Plays a transition step by step and says what does not hold: instances that overlap, what is destroyed without standing
/// there, tenants that meet, an outlook that promises more than there is, an end that is not the one wanted.
///
/// Shares no code with the planner of transitions. O(steps + waves x segments).
public enum TransitionChecker {
  private struct Standing {
    var segment: StandingSegment
    var capacity: Double
  }

  public static func faults(_ transition: Transition, of input: TransitionInput) -> [TransitionFault] {
    var faults: [TransitionFault] = []
    // What stays under other terms counts with the lesser of both.
    var fleet = input.gpus.map { gpu in
      gpu.before.map { segment in
        let after = gpu.after.first { $0.runsAs(segment) }
        return Standing(segment: segment, capacity: min(segment.capacity, after?.capacity ?? segment.capacity))
      }
    }
    var least = sums(fleet)
    for (number, wave) in transition.waves.enumerated() {
      func note(_ text: String) { faults.append(TransitionFault(wave: number, description: text)) }
      // The worst moment of a wave: everything that goes is gone, nothing that comes is there.
      for step in wave.steps where step.action == .destroy {
        if let index = fleet[step.gpu].firstIndex(where: { $0.segment == step.segment }) {
          fleet[step.gpu].remove(at: index)
        } else {
          note("\(step.segment.id) is to go from \(input.gpus[step.gpu].name) and does not stand there")
        }
      }
      let worst = sums(fleet)
      for workload in least.keys { least[workload] = min(least[workload] ?? 0, worst[workload] ?? 0) }
      for step in wave.steps where step.action == .create {
        fleet[step.gpu].append(Standing(segment: step.segment, capacity: step.segment.capacity))
      }
      for index in Set(wave.steps.map(\.gpu)).sorted() {
        if let text = illegal(fleet[index].map(\.segment), input.gpus[index], input) { note(text) }
      }
    }
    let last = transition.waves.count
    for (index, gpu) in input.gpus.enumerated() {
      let there = fleet[index].map(\.segment)
      let isEnd =
        there.count == gpu.after.count && gpu.after.allSatisfy { segment in there.contains { $0.runsAs(segment) } }
      if !isEnd { faults.append(TransitionFault(wave: last, description: "\(gpu.name) does not end as wanted")) }
    }
    for outlook in transition.outlooks where outlook.least > (least[outlook.workload] ?? 0) * (1 + 1e-9) + 1e-9 {
      faults.append(
        TransitionFault(
          wave: outlook.leastWave ?? 0,
          description: "\(outlook.workload) is promised \(outlook.least) and has \(least[outlook.workload] ?? 0)"))
    }
    return faults
  }

  private static func sums(_ fleet: [[Standing]]) -> [String: Double] {
    var sums: [String: Double] = [:]
    for standing in fleet.joined() { sums[standing.segment.workload, default: 0] += standing.capacity }
    return sums
  }

  /// Why these segments cannot stand on one GPU together; nil where they can.
  private static func illegal(
    _ segments: [StandingSegment], _ gpu: TransitionInput.GPU, _ input: TransitionInput
  ) -> String? {
    var owner = [String?](repeating: nil, count: gpu.product.axisLength)
    var counts: [Int: Int] = [:]
    var slices = 0
    for segment in segments {
      let profile = gpu.product.profiles[segment.placement.profile]
      guard profile.starts.contains(segment.placement.start) else { return "\(segment.id) starts where it cannot" }
      for unit in segment.placement.start..<(segment.placement.start + profile.placementSize) {
        if let other = owner[unit] { return "\(segment.id) and \(other) overlap on \(gpu.name)" }
        owner[unit] = segment.id
      }
      counts[segment.placement.profile, default: 0] += 1
      if counts[segment.placement.profile, default: 0] > profile.maxInstances {
        return "\(gpu.name) has too many \(profile.name)"
      }
      slices += profile.computeSlices
    }
    if slices > gpu.product.computeSlices { return "\(gpu.name) has too few compute slices" }
    let tenants = Set(segments.map { input.services[$0.workload]?.tenant })
    return tenants.count > 1 ? "tenants meet on \(gpu.name)" : nil
  }
}
