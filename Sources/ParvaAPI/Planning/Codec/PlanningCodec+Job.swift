import ParvaEngine

extension PlanningCodec {
  static func write(_ job: PlanningJob, to writer: inout ByteWriter) {
    writer.text(job.planner.name)
    writer.number(job.patience.seconds)
    writer.flag(job.isResort)
    write(job.input, to: &writer)
  }

  static func job(
    from reader: inout ByteReader, profiles: ProfileCatalogue, traces: [String: ArrivalRecording],
    capacities: CapacityCache
  ) throws(ByteReader.Malformed) -> PlanningJob {
    let name = try reader.text()
    guard let planner = Planners.named(name) ?? (name == StandingPlanner().name ? StandingPlanner() : nil) else {
      throw ByteReader.Malformed(description: "there is no planner \(name)")
    }
    let seconds = try reader.number()
    guard seconds >= 0, seconds < 1e6 else { throw ByteReader.Malformed(description: "patience for \(seconds) s") }
    let isResort = try reader.flag()
    var job = PlanningJob(
      planner: planner,
      input: try input(from: &reader, profiles: profiles, traces: traces, capacities: capacities),
      patience: .seconds(seconds))
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
