/// A reason why a state cannot be applied, found before anything is changed.
package struct ApplyProblem: Codable, Hashable, Sendable, CustomStringConvertible {
  /// Stable codes.
  package enum Code: String, Codable, Sendable, CaseIterable {
    case gpuUnknown = "gpu_unknown"
    case gpuFaulty = "gpu_faulty"
    case migUnsupported = "mig_unsupported"
    case migDisabled = "mig_disabled"
    case migBusy = "mig_busy"
    case profileUnknown = "profile_unknown"
    case placementIllegal = "placement_illegal"
    case placementsOverlap = "placements_overlap"
    case tooManyInstances = "too_many_instances"
    case tooManyClients = "too_many_clients"
    case foreignInstance = "foreign_instance"
    case instanceInUse = "instance_in_use"
    case processesUnknown = "processes_unknown"
    case permissionMissing = "permission_missing"
  }

  package var code: Code
  package var gpu: String
  /// One sentence for a person: what is wrong, where, and what would help.
  package var message: String
  /// The process in the way, where one is.
  package var pid: Int?
  package var process: String?

  package init(_ code: Code, gpu: String, _ message: String, pid: Int? = nil, process: String? = nil) {
    self.code = code
    self.gpu = gpu
    self.message = message
    self.pid = pid
    self.process = process
  }

  package var description: String { "\(code.rawValue): \(gpu): \(message)" }
}

/// Every reason against an apply, at least one.
package struct ApplyRefusal: Error, Hashable, Sendable, CustomStringConvertible {
  package var problems: [ApplyProblem]

  package init(_ problems: [ApplyProblem]) { self.problems = problems }

  package var description: String { problems.map(\.description).joined(separator: "\n") }
}
