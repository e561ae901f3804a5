/// Execution times of batches on the segments of a plan, as the profile's ``LatencyCurve`` has them.
struct ExecutionTimes {
  private struct Key: Hashable {
    var model: String
    var product: String
    var namespace: String?
    var profile: Int
    var processes: Int
  }

  private let profiles: ProfileCatalogue
  /// Nil where the profile has no such points.
  private var curves: [Key: LatencyCurve?] = [:]
  private var tables: [Key: [Int: [Double]]] = [:]

  init(_ profiles: ProfileCatalogue) { self.profiles = profiles }

  /// Seconds by batch size from 0 (unused) to the segment's batch, or why there are none. O(batch) once per kind of
  /// segment.
  mutating func table(
    of segment: Segment, on product: GPUProduct
  ) -> Result<[Double], SimulationRefusal> {
    let profile = profiles.profile(model: segment.model, product: product.name, for: segment.workload)
    let key = Key(
      model: segment.model, product: product.name, namespace: profile?.namespace, profile: segment.profile,
      processes: segment.processes)
    if let known = tables[key]?[segment.batch] { return .success(known) }
    guard let profile else {
      return .failure(
        SimulationRefusal(
          code: .noProfile, message: "no profile of model \(segment.model) on \(product.name); add one with --profiles")
      )
    }
    let curve: LatencyCurve?
    if let known = curves[key] {
      curve = known
    } else {
      curve = LatencyCurve(profile, instance: segment.profile, processes: segment.processes)
      curves[key] = .some(curve)
    }
    // Beyond the largest measured batch nothing is known: it may not even fit into memory.
    guard let curve, segment.batch >= 1, let largest = curve.batches.last, segment.batch <= largest else {
      let instance = product.profiles[segment.profile].name
      let limit = (curve?.batches.last).map { "at most batch \($0) for" } ?? "no point of"
      return .failure(
        SimulationRefusal(
          code: .unknownPoint,
          message: "\(segment.id) runs \(segment.model) on \(instance) at batch \(segment.batch) with "
            + "\(segment.processes) processes; the profile has \(limit) that instance and number of processes"))
    }
    let table = [0] + curve.table(limit: segment.batch).map { $0 / 1000 }
    tables[key, default: [:]][segment.batch] = table
    return .success(table)
  }
}

extension SimulationRefusal: Error {}
