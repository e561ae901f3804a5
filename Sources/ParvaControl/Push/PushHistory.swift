import ParvaWire

/// What pushes before have left to know: which plan is in force, how far each revision was told, what was halted. Pure.
struct PushHistory: Sendable {
  /// Operations that are read back after a restart.
  static let read = 8

  private(set) var isRecalled = false
  /// The newest whole plans that were verified, newest last, two at most: one may be the revision that is asked about.
  private var verified: [Int] = []
  private var phases: [Int: Int] = [:]
  private var halted: Set<Int> = []
  /// Requests per second of each workload by the newest plan that was verified; nil after a restart.
  private var rates: [String: Double]?
  private var begun: (revision: Int, rates: [String: Double])?

  /// - Parameter operations: the newest that the store has, newest first.
  mutating func recall(_ operations: [FleetOperationDocument]) {
    guard !isRecalled else { return }
    isRecalled = true
    for document in operations.reversed() { note(document) }
  }

  /// Takes in an operation as it is now.
  mutating func note(_ document: FleetOperationDocument) {
    let revision = document.planRevision
    phases[revision] = max(phases[revision] ?? 0, document.rollout.phases)
    if phases.count > 64, let oldest = phases.keys.min() { phases[oldest] = nil }
    switch document.status {
    case .verified:
      if let begun, begun.revision == revision { rates = begun.rates }
      halted.remove(revision)
      // What some nodes have is no plan that a fleet could go back to.
      guard document.rollout.partial != true else { return }
      verified.removeAll { $0 == revision }
      verified = verified.suffix(1) + [revision]
    case .aborted, .rolledBack: halted.insert(revision)
    // The way back failed somewhere: that is for somebody to look at.
    case .failed where document.rollout.ending == .rollback: halted.insert(revision)
    default: break
    }
  }

  /// A plan begins to be pushed; answers what workloads were served by the one before, where that is known.
  mutating func begin(_ revision: Int, _ rates: [String: Double]) -> [String: Double] {
    halted = halted.filter { $0 > revision }
    begun = (revision, rates)
    return promised
  }

  /// Requests per second of each workload by the newest plan that was verified; empty where that is not known.
  var promised: [String: Double] { rates ?? [:] }

  func phases(of revision: Int) -> Int { phases[revision] ?? 0 }
  func isHalted(_ revision: Int) -> Bool { halted.contains(revision) }

  /// The plan that stood before a revision.
  func inForce(before revision: Int) -> Int? { verified.last { $0 != revision } }
}
