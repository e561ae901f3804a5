import ArgumentParser
import ParvaEngine
import ParvaFormats

extension ProfilesCommand {
  /// `parva profiles fit`.
  struct Fit: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "fit",
      abstract: "Fill whole profiles from a few measured points.",
      discussion: """
        Fits a small latency model to the points of each model and fills every size, batch and number of processes that \
        surely fits into memory. Measured points stay as they are; a filled one is slower than the model expects by a \
        margin that grows with the distance from what was measured and with the cross-validated error, and says so. The \
        table tells how far the fit errs; -o csv, json or yaml print the profiles, to be given as --profiles.
        """)

    @Argument(help: "Measured points: a folder, or one CSV, JSON or YAML file, as for --profiles; - is standard input.")
    var measured: String

    @Option(
      name: .long,
      help: """
        GPU product that points in the published format were measured on (default: \(ProfileReader.defaultProduct)).
        """)
    var product: String?

    @Option(name: .long, help: "Fit this model alone; may be given several times.")
    var model: [String] = []

    @Option(
      name: .long,
      help: """
        Fit only from the points, this many, that `parva profiles suggest` names, and judge the fit on all others.
        """)
    var trial: Int?

    @OptionGroup var grid: GridArguments
    @OptionGroup var output: OutputOptions

    @Flag(name: .long, help: "Tell the fitted parameters too; with -o csv, json or yaml the report on standard error.")
    var verbose = false

    func validate() throws {
      if let trial, !(1...10_000).contains(trial) { throw ValidationError("--trial must be 1 to 10000.") }
      _ = try GridArguments.product(product)
    }

    func run() throws {
      let given = try ProfileReader.load(measured, product: try GridArguments.product(product))
      if let unknown = model.first(where: { name in !given.contains { $0.model == name } }) {
        let known = Set(given.map(\.model)).sorted().joined(separator: ", ")
        throw CommandFailure(.badInput, "\(measured): there is no model \"\(unknown)\"; there are \(known)")
      }
      let results = try given.filter { model.isEmpty || model.contains($0.model) }.map(fit)
      let fits = results.map(\.fit)
      var report = FitWriter.report(fits, style: output.style)
      let trials = results.compactMap { result in result.trial.map { (fit: result.fit, trial: $0) } }
      if !trials.isEmpty { report += "\n" + FitWriter.trials(trials, style: output.style) }
      let parameters = "\n" + FitWriter.parameters(fits, style: output.style)
      let profiles = fits.map(\.profile)
      switch output.format {
      case .table: try Console.write(verbose ? report + parameters : report)
      case .json: try Console.write(ProfileWriter.json(profiles))
      case .yaml: try Console.write(ProfileWriter.yaml(profiles))
      case .csv: try Console.write(ProfileWriter.csv(profiles))
      }
      if verbose, output.format != .table { Console.error(report + parameters) }
    }

    private func fit(_ profile: ModelProfile) throws -> (fit: FittedProfile, trial: FitTrial?) {
      guard let product = ProductCatalogue.product(named: profile.product) else {
        throw CommandFailure(.unexpected, "unknown product \(profile.product)")
      }
      do {
        guard let trial else { return (try ProfileFit.fill(profile, on: product, grid: grid.grid), nil) }
        return try FitTrial.run(profile, points: trial, on: product, grid: grid.grid)
      } catch {
        throw CommandFailure(.badInput, "\(measured): \(profile.model) on \(profile.product): \(Self.reason(error))")
      }
    }

    private static func reason(_ refusal: ProfileFit.Refusal) -> String {
      let advice = "`parva profiles suggest` names the points to measure"
      return switch refusal {
      case .tooFewPoints(let count):
        "\(count) of its points have a latency, and a fit needs \(ProfileFit.leastPoints); \(advice)"
      case .oneBatch(let batch):
        "all its points have batch \(batch), which does not tell fixed from growing time; \(advice)"
      }
    }
  }

  /// `parva profiles suggest`.
  struct Suggest: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "suggest",
      abstract: "Name the points to measure, so that a fit errs least.",
      discussion: """
        The first point tells most about memory; each further one takes most from the variance of the fitted model over \
        the whole grid. -o csv prints a form: fill in throughput (requests/s of all processes) and latency_ms, or 0 and \
        0 where a point does not fit, and give it to `parva profiles fit`. With --measured the points that are there \
        count, and the next ones are named.
        """)

    @Option(name: .long, help: "How many points.")
    var points = 12

    @Option(name: .long, help: "Points measured already, as for --profiles; needs --model where they are of several.")
    var measured: String?

    @Option(name: .long, help: "Name of the model.")
    var model: String?

    @Option(name: .long, help: "GPU product to measure on (default: \(ProfileReader.defaultProduct)).")
    var product: String?

    @OptionGroup var grid: GridArguments
    @OptionGroup var output: OutputOptions

    func validate() throws {
      guard (1...10_000).contains(points) else { throw ValidationError("--points must be 1 to 10000.") }
      _ = try GridArguments.product(product)
    }

    func run() throws {
      let product = try GridArguments.product(product)
      let known = try measured.map { try profile(in: $0, product) }
      let places = MeasurementDesign.next(points, after: known, on: product, grid: grid.grid)
      switch output.format {
      case .table: try Console.write(FitWriter.places(places, on: product, style: output.style))
      case .json: try Console.write(FitWriter.json(places, on: product))
      case .yaml: try Console.write(FitWriter.yaml(places, on: product))
      case .csv: try Console.write(FitWriter.form(places, model: model ?? known?.model ?? "MODEL", on: product))
      }
    }

    private func profile(in path: String, _ product: GPUProduct) throws -> ModelProfile {
      let given = try ProfileReader.load(path, product: product).filter { $0.product == product.name }
      let fitting = given.filter { model == nil || $0.model == model }
      guard let found = fitting.first else {
        let known = given.map(\.model).joined(separator: ", ")
        throw CommandFailure(
          .badInput,
          "\(path): there are no points of \(model.map { "\"\($0)\"" } ?? "any model") on \(product.name)"
            + (known.isEmpty ? "" : "; there are \(known)"))
      }
      guard fitting.count == 1 else {
        throw CommandFailure(
          .badInput,
          "\(path): there are points of \(fitting.map(\.model).joined(separator: ", ")); choose one with --model")
      }
      return found
    }
  }
}

/// Which grid is to be filled.
struct GridArguments: ParsableArguments {
  @Option(name: .long, help: "Largest batch of the grid; batches are powers of two.")
  var maxBatch = ProfileGrid().maxBatch

  @Option(name: .long, help: "Most processes on one instance of the grid.")
  var maxProcesses = ProfileGrid().maxProcesses

  func validate() throws {
    guard (1...4096).contains(maxBatch) else { throw ValidationError("--max-batch must be 1 to 4096.") }
    guard InputLimits.processes.contains(maxProcesses) else {
      throw ValidationError(
        "--max-processes must be \(InputLimits.processes.lowerBound) to \(InputLimits.processes.upperBound).")
    }
  }

  var grid: ProfileGrid { ProfileGrid(maxBatch: maxBatch, maxProcesses: maxProcesses) }

  static func product(_ name: String?) throws -> GPUProduct {
    let name = name ?? ProfileReader.defaultProduct
    guard let found = ProductCatalogue.product(named: name) else {
      throw ValidationError(
        "Unknown product '\(name)'; known are \(ProductCatalogue.all.map(\.name).joined(separator: ", ")).")
    }
    return found
  }
}
