/// What may come in. The bounds on numbers keep every sum and product of the engine finite.
package enum InputLimits {
  /// Largest pool, profile or scenario file in JSON or CSV, and largest document that is read as a tree, in bytes.
  package static let fileBytes = 64 << 20
  /// Largest file of workloads in JSON, NDJSON or CSV, which are read one by one: some millions.
  package static let listBytes = 1 << 30
  /// Largest YAML file in bytes: YAML is for people, and its tree costs fifty times its text and two seconds a MiB.
  package static let yamlBytes = 4 << 20
  /// Largest plan document in bytes, some millions of segments.
  package static let planBytes = 1 << 30
  /// Largest plan document that is not written as Parva writes it, and so is read as a tree.
  package static let planTreeBytes = 256 << 20

  /// Refusals at which the reading of a list ends.
  package static let refusals = 2_000
  /// Bytes of refused elements of a list at which its reading ends: saying what is wrong costs a hundred times what reading does.
  package static let refusedBytes = 4 << 20
  /// Bytes of one element of a list that is read element by element, as much as a request about one thing may have.
  package static let elementBytes = 1 << 20

  /// Requests per second of a workload or a profile point.
  package static let rate = 1e-6...1e9
  /// Entries of a schedule.
  package static let schedule = 32
  /// Milliseconds of an objective or an execution.
  package static let latencyMs = 1e-3...1e7
  /// Squared coefficient of variation of gamma arrivals.
  package static let cv2 = 1e-3...1e3
  /// Margin of certified capacities, as a share.
  package static let capacityMargin = 0.0...10.0
  /// What a changed segment counts, in GPUs.
  package static let moveCost = 0.0...1000.0
  package static let priority = -1_000_000...1_000_000
  package static let batch = 1...65_536
  package static let processes = 1...64
  /// Framebuffer of a profile point in MiB.
  package static let memoryMiB = 0.0...1e8
  /// Share by which a filled point's latency is stretched.
  package static let margin = 0.0...100.0
  /// GPUs of one pool.
  package static let poolCount = 0...1_000_000
  /// Figures of one GPU, of any objective.
  package static let figure = 0.0...1e6
  package static let labels = 64
  /// Bytes of one field of a CSV.
  package static let csvFieldBytes = 4096
  /// Failure domains that a workload may ask for.
  package static let spread = 2...64
  /// Failure domains that a workload may be asked to survive the loss of.
  package static let losses = 1...63
  /// Segments of one workload.
  package static let replicas = 1...100_000
  /// Products or pools in one list of a placement.
  package static let placementNames = 64

  /// Seconds of a simulation, or of something in it; the shortest stretch that makes sense.
  package static let simulatedSeconds = 0.001...31_536_000.0
  /// Rate of a workload as a multiple of the declared one.
  package static let rateFactor = 0.0...1000.0
  /// Seeds that every JSON parser reads exactly.
  package static let seed: ClosedRange<UInt64> = 0...1 << 53
  /// Runs of one simulation.
  package static let seeds = 1...1000
  /// Requests that wait on one simulated segment.
  package static let queueLimit = 1...1 << 24
}
