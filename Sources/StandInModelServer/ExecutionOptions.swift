import ArgumentParser
import ParvaEngine
import ParvaFormats

/// How long a batch takes: by a profile, or as it is said.
struct ExecutionOptions: ParsableArguments {
  @Option(
    name: .long,
    help: """
      Profiles to be as slow as: a folder of MODEL.csv files in the published format, or one file of profiles. Without it \
      the built-in catalogue, which is modelled.
      """)
  var profiles: [String] = []

  @Option(name: .long, help: "GPU product that the profile is of.")
  var product = ProfileReader.defaultProduct

  @Option(
    name: .long, help: "MIG profile of the instance, by the number that drivers know it by, as {profileId} gives it.")
  var profileId: Int?

  @Option(
    name: .long,
    help: "In place of a profile: milliseconds that batches take, as SIZE:MS joined by commas; linear in between.")
  var latency: String?

  /// Milliseconds of batches of 1 to `limit`.
  func milliseconds(model: String, limit: Int, processes: Int) throws -> [Double] {
    if let latency { return try Self.curve(latency, limit: limit) }
    guard let profileId else { throw ValidationError("Say with --profile-id or --latency how long batches take.") }
    guard let known = ProductCatalogue.product(named: product) else {
      throw ValidationError("Unknown product '\(product)'.")
    }
    var catalogue = profiles.isEmpty ? BuiltInCatalogue.catalogue : ProfileCatalogue()
    for path in profiles {
      for profile in try ProfileReader.load(path, product: known) { catalogue.insert(profile) }
    }
    guard let profile = catalogue.profile(model: model, product: known.name),
      let instance = known.profiles.firstIndex(where: { $0.driverProfileID == profileId }),
      let curve = LatencyCurve(profile, instance: instance, processes: processes)
    else {
      throw ValidationError(
        "No profile of \(model) on \(product) says how fast \(processes) processes are on profile \(profileId).")
    }
    return curve.table(limit: limit)
  }

  private static func curve(_ text: String, limit: Int) throws -> [Double] {
    let points = try text.split(separator: ",", omittingEmptySubsequences: false).map { part throws -> (Int, Double) in
      let halves = part.split(separator: ":", omittingEmptySubsequences: false)
      guard halves.count == 2, let size = Int(halves[0]), let time = Double(halves[1]), size >= 1, time > 0,
        time < 1e7
      else { throw ValidationError("--latency takes SIZE:MS joined by commas, such as 1:12.5,8:40, not '\(text)'.") }
      return (size, time)
    }.sorted { $0.0 < $1.0 }
    return (1...limit).map { size in
      guard let above = points.firstIndex(where: { $0.0 >= size }) else {
        let last = points[points.count - 1]
        return last.1 * Double(size) / Double(last.0)
      }
      guard above > 0 else { return points[0].1 }
      let (low, high) = (points[above - 1], points[above])
      return low.1 + Double(size - low.0) / Double(high.0 - low.0) * (high.1 - low.1)
    }
  }
}
