/// The most segments that one workload may take; beyond it a plan is a mistake in the demand, not a fleet.
enum SegmentLimit {
  static let perWorkload = 100_000

  static func refusal(_ workload: Workload, throughput: Double) -> Unserved {
    Unserved(
      workload: workload.id, code: .tooLarge,
      message: "\(workload.rate.shortText) requests/s need more than \(perWorkload) instances of "
        + "\(throughput.shortText) requests/s each; check the rate or split the workload")
  }
}
