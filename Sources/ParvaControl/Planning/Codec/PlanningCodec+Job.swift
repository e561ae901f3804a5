import ParvaEngine

extension PlanningCodec {
  static func write(_ job: PlanningJob, after memory: PlanningMemory = PlanningMemory(), to writer: inout ByteWriter) {
    writer.text(job.planner.name)
    writer.integer(Int(job.patience / .milliseconds(1)))
    writer.flag(job.isResort)
    write(job.input, after: memory, to: &writer)
  }

  static func job(
    from reader: inout ByteReader, after memory: PlanningMemory = PlanningMemory(), profiles: ProfileCatalogue,
    traces: [String: ArrivalRecording], capacities: CapacityCache
  ) throws(ByteReader.Malformed) -> PlanningJob {
    let name = try reader.text()
    guard let planner = Planners.named(name) ?? (name == StandingPlanner().name ? StandingPlanner() : nil) else {
      throw ByteReader.Malformed(description: "there is no planner \(name)")
    }
    let patience = Duration.milliseconds(try reader.small())
    let isResort = try reader.flag()
    var job = PlanningJob(
      planner: planner,
      input: try input(from: &reader, after: memory, profiles: profiles, traces: traces, capacities: capacities),
      patience: patience)
    job.isResort = isResort
    return job
  }

  static func write(_ fault: PlanningFault, to writer: inout ByteWriter) {
    writer.text(fault.planner)
    writer.text(fault.code)
    writer.text(fault.message)
    writer.integer(fault.count)
  }

  static func fault(from reader: inout ByteReader) throws(ByteReader.Malformed) -> PlanningFault {
    PlanningFault(
      planner: try reader.text(), code: try reader.text(), message: try reader.text(), count: try reader.integer())
  }
}
