package import ParvaWire

/// Reads what a node is asked to be, from JSON or YAML, and refuses what no GPU could mean.
package enum NodeAssignmentReader {
  /// Bytes of a body or file: a node has at most some hundreds of instances.
  package static let bytes = 4 << 20
  static let profileID = 0...100_000
  static let start = 0...63

  /// Legality on the GPUs themselves is for the node to judge, which knows them.
  ///
  /// - Throws: every refusal found, each with its place.
  package static func read(_ source: InputSource) throws(InputErrors) -> NodeAssignment {
    let document = try InputDocument(source, limit: bytes)
    let wanted = try document.decode(NodeAssignment.self)
    var refusals = Refusals()
    check(wanted, document, &refusals)
    try refusals.check()
    return wanted
  }

  /// The same, with the term of the controller that sends it.
  package static func readPushed(_ source: InputSource) throws(InputErrors) -> PushedAssignment {
    let document = try InputDocument(source, limit: bytes)
    let pushed = try document.decode(PushedAssignment.self)
    var refusals = Refusals()
    if pushed.term < 0 {
      refusals.add(
        document.error(.outOfRange, "term must be at least 0", at: ["term"], value: String(pushed.term)))
    }
    check(pushed.wanted, document, &refusals)
    try refusals.check()
    return pushed
  }

  private static func check(_ wanted: NodeAssignment, _ document: InputDocument, _ refusals: inout Refusals) {
    if wanted.revision < 0 {
      refusals.add(
        document.error(
          .outOfRange, "revision must be at least 0", at: ["revision"], value: String(wanted.revision)))
    }
    if wanted.phase < 0 {
      refusals.add(
        document.error(.outOfRange, "phase must be at least 0", at: ["phase"], value: String(wanted.phase)))
    }
    var seen: Set<String> = []
    for (index, gpu) in wanted.gpus.enumerated() {
      let path = ["gpus", String(index)]
      if gpu.uuid.isEmpty || gpu.uuid.utf8.count > 95 {
        refusals.add(
          document.error(.invalidName, "uuid must be 1 to 95 bytes", at: path + ["uuid"], value: gpu.uuid))
      } else if !seen.insert(gpu.uuid).inserted {
        refusals.add(
          document.error(.duplicate, "a GPU may be listed once", at: path + ["uuid"], value: gpu.uuid))
      }
      for (number, instance) in gpu.instances.enumerated() {
        check(instance, document, path + ["instances", String(number)], &refusals)
      }
    }
  }

  private static func check(
    _ instance: WantedInstance, _ document: InputDocument, _ path: [String], _ refusals: inout Refusals
  ) {
    func check(_ name: String, _ value: Int?, _ range: ClosedRange<Int>) {
      guard let value, let message = RangeCheck.message(name, value, range) else { return }
      refusals.add(document.error(.outOfRange, message, at: path + [name], value: String(value)))
    }
    check("profileId", instance.profileID, profileID)
    check("start", instance.start, start)
    check("batch", instance.batch, InputLimits.batch)
    check("processes", instance.processes, InputLimits.processes)
    if let share = instance.mps?.activeThreadPercentage, !(share > 0 && share <= 100) {
      refusals.add(
        document.error(
          .outOfRange, "activeThreadPercentage must be above 0 and at most 100",
          at: path + ["mps", "activeThreadPercentage"], value: RangeCheck.plain(share)))
    }
    if let limit = instance.mps?.pinnedMemoryLimitMiB, limit < 1 {
      refusals.add(
        document.error(
          .outOfRange, "pinnedMemoryLimitMiB must be at least 1", at: path + ["mps", "pinnedMemoryLimitMiB"],
          value: String(limit)))
    }
    guard let launch = instance.launch else { return }
    LaunchCheck.check(launch, missing: missing(instance)) {
      refusals.add(document.error($0, $1, at: path + ["launch"] + $2, value: $3))
    }
  }

  /// What the instance gives no value for.
  private static func missing(_ instance: WantedInstance) -> Set<LaunchTemplate.Placeholder> {
    var missing: Set<LaunchTemplate.Placeholder> = []
    if instance.batch == nil { missing.insert(.batch) }
    if instance.workload == nil { missing.insert(.workload) }
    if instance.model == nil { missing.insert(.model) }
    if instance.segment == nil { missing.insert(.segment) }
    return missing
  }
}
