import Foundation
import ParvaEngine

/// Reads a plan as ``PlanWriter`` writes it in one pass, and gives up on everything else.
///
/// What it accepts, ``PlanReader``'s general way reads with the same result; what it gives up on, that way judges. A
/// plan of a hundred thousand workloads is thirty megabytes, and a controller reads it whenever it starts.
enum QuickPlanParser {
  /// Nil where the general way has to look. O(bytes).
  static func plan(_ data: Data) -> Plan? {
    QuickJSON.read(data) { json throws(QuickJSON.Unusual) in try json.plan() }
  }
}

extension QuickJSON {
  fileprivate mutating func plan() throws(Unusual) -> Plan {
    try begin()
    try key("schemaVersion")
    guard try integer() == PlanWriter.schemaVersion else { throw Unusual() }
    if take(key: "revision") { _ = try integer() }
    if take(key: "demandRevision") { _ = try integer() }
    try key("planner")
    let planner = try string()
    try key("admission")
    let admission = try string()
    let margin: Double? = take(key: "margin") ? try number() : nil
    if let margin, RangeCheck.message("margin", margin, InputLimits.capacityMargin) != nil { throw Unusual() }
    var objective: PlanObjective?
    if take(key: "objective") {
      objective = PlanObjective(rawValue: try string())
      if objective == nil { throw Unusual() }
    }
    let maxProcesses: Int? = take(key: "maxProcesses") ? try integer() : nil
    if let maxProcesses, !InputLimits.processes.contains(maxProcesses) { throw Unusual() }
    try key("status")
    guard let status = PlanStatus(rawValue: try string()) else { throw Unusual() }
    try key("gpus")
    var gpus: [PlannedGPU] = []
    var product: GPUProduct?
    try array { json throws(Unusual) in gpus.append(try json.gpu(gpus.count, &product)) }
    try key("unplaced")
    var unplaced: [Unserved] = []
    try array { json throws(Unusual) in unplaced.append(try json.refusal()) }
    var partial: [PartialService] = []
    if take(key: "partial") {
      try array { json throws(Unusual) in partial.append(try json.partialService()) }
    }
    try key("summary")
    let summary = try summary()
    // A certificate follows here where there is one.
    try end()
    return Plan(
      planner: planner, admission: admission, margin: margin, objective: objective, maxProcesses: maxProcesses,
      status: status, gpus: gpus, unplaced: unplaced, partial: partial, summary: summary)
  }

  /// - Parameter last: product of the GPU before, which is nearly always this one's too.
  private mutating func gpu(_ index: Int, _ last: inout GPUProduct?) throws(Unusual) -> PlannedGPU {
    try begin()
    try key("index")
    guard try integer() == index else { throw Unusual() }
    try key("pool")
    let pool = try text()
    try key("product")
    let name = try string()
    if last?.name != name { last = ProductCatalogue.product(named: name) }
    guard let product = last else { throw Unusual() }
    try key("node")
    let node = null() ? nil : try string()
    try key("uuid")
    let uuid = null() ? nil : try string()
    try key("segments")
    var segments: [Segment] = []
    try array { json throws(Unusual) in segments.append(try json.segment(product)) }
    try end()
    return PlannedGPU(pool: pool, product: product, node: node, uuid: uuid, segments: segments)
  }

  private mutating func segment(_ product: GPUProduct) throws(Unusual) -> Segment {
    try begin()
    try key("id")
    let id = try string()
    try key("workload")
    let workload = try string()
    try key("model")
    let model = try string()
    try key("profile")
    let label = try string()
    try key("profileId")
    guard let index = product.profileIndex(driverID: try integer()) else { throw Unusual() }
    let profile = product.profiles[index]
    try key("start")
    let start = try integer()
    try key("size")
    let size = try integer()
    try key("computeSlices")
    let slices = try integer()
    guard (profile.name, profile.placementSize, profile.computeSlices) == (label, size, slices) else { throw Unusual() }
    guard let ordinal = Int(Substring(id.utf8.dropFirst(workload.utf8.count + 1))), ordinal >= 0,
      id == "\(workload)/\(ordinal)"
    else { throw Unusual() }
    try key("batch")
    let batch = try integer()
    try key("processes")
    let processes = try integer()
    try key("capacity")
    let capacity = try number()
    try key("load")
    let load = try number()
    try key("latencyMs")
    let latency = try number()
    try end()
    return Segment(
      workload: workload, ordinal: ordinal, model: model, profile: index, start: start, batch: batch,
      processes: processes, capacity: capacity, load: load, latencyMs: latency)
  }

  private mutating func refusal() throws(Unusual) -> Unserved {
    try begin()
    try key("workload")
    let workload = try string()
    try key("code")
    guard let code = Unserved.Code(rawValue: try string()) else { throw Unusual() }
    try key("message")
    let message = try text()
    try end()
    return Unserved(workload: workload, code: code, message: message)
  }

  private mutating func partialService() throws(Unusual) -> PartialService {
    try begin()
    try key("workload")
    let workload = try string()
    try key("demanded")
    let demanded = try number()
    try key("served")
    let served = try number()
    try key("code")
    guard let code = Unserved.Code(rawValue: try string()) else { throw Unusual() }
    try key("message")
    let message = try text()
    try end()
    return PartialService(workload: workload, demanded: demanded, served: served, code: code, message: message)
  }

  private mutating func summary() throws(Unusual) -> PlanSummary {
    try begin()
    try key("gpuCount")
    let gpuCount = try integer()
    try key("lowerBound")
    let lowerBound = try optionalNumber()
    try key("gap")
    let gap = try optionalNumber()
    try key("allocatedSlices")
    let allocatedSlices = try integer()
    try key("externalFragmentation")
    let externalFragmentation = try number()
    try key("internalSlack")
    let internalSlack = try number()
    var sums: [String: Double] = [:]
    for objective in PlanObjective.summed {
      try key(named: objective.name)
      sums[objective.name] = try optionalNumber()
    }
    try key("profileSource")
    guard let source = ProfileSource(rawValue: try string()) else { throw Unusual() }
    let isCutShort = take(key: "cutShort")
    if isCutShort { try skip(word: "true") }
    try end()
    return PlanSummary(
      gpuCount: gpuCount, lowerBound: lowerBound, gap: gap, allocatedSlices: allocatedSlices,
      externalFragmentation: externalFragmentation, internalSlack: internalSlack, sums: sums,
      profileSource: source, isCutShort: isCutShort)
  }

  private mutating func optionalNumber() throws(Unusual) -> Double? { null() ? nil : try number() }
}
