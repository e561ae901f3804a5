/// Execution times of batches as the profile has them: linear between neighbouring measured batch sizes of the same
/// instance and number of processes, and below the smallest that of the smallest.
struct ExecutionTimes {
  private struct Key: Hashable {
    var model: String
    var product: String
    var profile: Int
    var processes: Int
  }

  private let profiles: ProfileCatalogue
  /// Points by batch, ascending.
  private var families: [Key: [ProfilePoint]] = [:]
  private var tables: [Key: [Int: [Double]]] = [:]

  init(_ profiles: ProfileCatalogue) { self.profiles = profiles }

  /// Seconds by batch size from 0 (unused) to the segment's batch, or why there are none. O(batch) once per kind of
  /// segment.
  mutating func table(
    of segment: Segment, on product: GPUProduct
  ) -> Result<[Double], SimulationRefusal> {
    let key = Key(
      model: segment.model, product: product.name, profile: segment.profile, processes: segment.processes)
    if let known = tables[key]?[segment.batch] { return .success(known) }
    guard let profile = profiles.profile(model: segment.model, product: product.name) else {
      return .failure(
        SimulationRefusal(
          code: .noProfile, message: "no profile of model \(segment.model) on \(product.name); add one with --profiles")
      )
    }
    let points =
      families[key]
      ?? profile.points.filter { $0.profile == segment.profile && $0.processes == segment.processes }
      .sorted { $0.batch < $1.batch }
    families[key] = points
    guard let largest = points.last, segment.batch >= 1, segment.batch <= largest.batch else {
      let instance = product.profiles[segment.profile].name
      let limit = points.last.map { "at most batch \($0.batch) for" } ?? "no point of"
      return .failure(
        SimulationRefusal(
          code: .unknownPoint,
          message: "\(segment.id) runs \(segment.model) on \(instance) at batch \(segment.batch) with "
            + "\(segment.processes) processes; the profile has \(limit) that instance and number of processes"))
    }
    let table = [0] + (1...segment.batch).map { Self.latencyMs(of: $0, points) / 1000 }
    tables[key, default: [:]][segment.batch] = table
    return .success(table)
  }

  /// `points` are by batch, not empty, and the last is at least `batch`. O(log points).
  private static func latencyMs(of batch: Int, _ points: [ProfilePoint]) -> Double {
    var low = 0
    var high = points.count - 1
    while low < high {
      let middle = (low + high) / 2
      if points[middle].batch < batch { low = middle + 1 } else { high = middle }
    }
    let above = points[low]
    guard low > 0, above.batch > batch else { return above.latencyMs }
    let below = points[low - 1]
    let share = Double(batch - below.batch) / Double(above.batch - below.batch)
    return below.latencyMs + share * (above.latencyMs - below.latencyMs)
  }
}

extension SimulationRefusal: Error {}
