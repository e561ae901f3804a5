import ArgumentParser
import Foundation
import ParvaEngine
import ParvaFormats

/// What a plan is made from besides its workloads, as the verbs that plan or judge take it.
struct DemandOptions: ParsableArguments {
  @OptionGroup var profileOptions: ProfileOptions
  @OptionGroup var traceOptions: TraceOptions

  @Option(
    name: .long, help: "GPU pools as YAML or JSON: name, product, count, hourlyCost, watts, nodes; - is standard input."
  )
  var pools: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      """
      Time by RFC 3339 for which rates are taken from schedules; without it each workload has the highest rate of its \
      schedule.
      """, valueName: "time"))
  var at: String?

  func validate() throws {
    if let at, Date(rfc3339: at) == nil {
      throw ValidationError("--at must be a time by RFC 3339, for example 2027-01-31T12:00:00Z.")
    }
  }

  /// Those of a file, each with one rate: that of a moment, or for nil the highest of its schedule.
  static func workloads(at date: Date?, from path: String) throws -> [Workload] {
    try WorkloadReader.readFile(try InputSource.load(path, limit: InputLimits.listBytes)).map { workload in
      date.map(workload.settled(at:)) ?? workload.settled(workload.highestRate)
    }
  }

  /// Reads everything, with the workloads at `path`, into a planning input.
  func input(workloads path: String, options: PlanningOptions) throws -> PlanningInput {
    guard [path, pools].count(where: { $0 == "-" }) <= 1 else {
      throw ValidationError("Only one of --workloads and --pools can be standard input.")
    }
    let workloads = try Self.workloads(at: at.flatMap { Date(rfc3339: $0) }, from: path)
    return PlanningInput(
      workloads: workloads, pools: try profileOptions.pools(from: pools), profiles: try profileOptions.catalogue(),
      options: options, traces: try traceOptions.traces(for: workloads))
  }
}

/// Where profiles come from.
struct ProfileOptions: ParsableArguments {
  @Option(
    name: .long,
    help: """
      A folder of MODEL.csv files in the published format, or one CSV, JSON or YAML file of profiles; may be given \
      several times, a later one replaces the same model on the same product. Without it: the built-in catalogue, \
      which is modelled.
      """)
  var profiles: [String] = []

  @Option(
    name: .long,
    help: """
      GPU product to plan for unless --pools names them, and the one that profiles in the published format were \
      measured on (default: \(ProfileReader.defaultProduct)).
      """)
  var product: String?

  func validate() throws { _ = try resolvedProduct() }

  func resolvedProduct() throws -> GPUProduct {
    let name = product ?? ProfileReader.defaultProduct
    guard let found = ProductCatalogue.product(named: name) else {
      throw ValidationError(
        "Unknown product '\(name)'; known are \(ProductCatalogue.all.map(\.name).joined(separator: ", ")).")
    }
    return found
  }

  /// The pools of a file, or without one as many GPUs of the product as are needed.
  func pools(from file: String?) throws -> [Pool] {
    guard let file else { return [Pool(product: try resolvedProduct())] }
    return try PoolReader.read(try InputSource.load(file))
  }

  func catalogue() throws -> ProfileCatalogue {
    guard !profiles.isEmpty else { return BuiltInCatalogue.catalogue }
    var catalogue = ProfileCatalogue()
    let product = try resolvedProduct()
    for path in profiles {
      for profile in try ProfileReader.load(path, product: product) { catalogue.insert(profile) }
    }
    return catalogue
  }
}

/// Format and look of what goes to standard output.
struct OutputOptions: ParsableArguments {
  enum Format: String, ExpressibleByArgument, CaseIterable {
    case table, json, yaml, csv
  }

  @Option(name: [.customShort("o"), .customLong("output")], help: "Format of the result.")
  var format: Format = .table

  @Flag(name: .long, help: "Draw tables in plain ASCII; the default where the locale is not UTF-8.")
  var ascii = false

  var style: TextStyle { Console.style(ascii: ascii) }
}
