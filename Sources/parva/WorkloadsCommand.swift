import ArgumentParser
import ParvaEngine
import ParvaFormats

/// `parva workloads`: make, check and turn workload files into other formats.
struct WorkloadsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "workloads", abstract: "Make, check and convert workload files.",
    subcommands: [Show.self, Import.self])

  static func write(_ workloads: [Workload], _ output: OutputOptions) throws {
    switch output.format {
    case .table: try Console.write(WorkloadWriter.text(workloads, style: output.style))
    case .json: try Console.write(WorkloadWriter.json(workloads))
    case .yaml: try Console.write(WorkloadWriter.yaml(workloads))
    case .csv: try Console.write(try WorkloadWriter.csv(workloads))
    }
  }

  /// `parva workloads show`.
  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "show", abstract: "Check a workload file and print it in any format.")

    @Argument(help: "Workloads as JSON, YAML or CSV; - is standard input.")
    var file: String

    @OptionGroup var output: OutputOptions

    func run() throws {
      try write(try WorkloadReader.readFile(try InputSource.load(file, limit: InputLimits.listBytes)), output)
    }
  }

  /// `parva workloads import`.
  struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "import",
      abstract: "Make a workload file from a row of the published scenario tables.",
      discussion: """
        Both tables have no header, a scenario a row and a model a column; N/A leaves a model out. Each workload is \
        named after its model.
        """)

    @Option(name: .long, help: "CSV table of request rates, in requests/s.")
    var rates: String

    @Option(name: .long, help: "CSV table of latency objectives, in ms.")
    var latencies: String

    @Option(name: .long, help: "Which scenario, from 1.")
    var row: Int

    @Option(
      name: .long,
      help: "Models of the columns, joined by commas (default: \(BuiltInCatalogue.models.joined(separator: ","))).")
    var models: String?

    @OptionGroup var output: OutputOptions

    func run() throws {
      guard rates != "-" || latencies != "-" else { throw ValidationError("Only one table can be standard input.") }
      let names = models.map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) }
      try write(
        try ScenarioReader.read(
          rates: try InputSource.load(rates, format: .csv), latencies: try InputSource.load(latencies, format: .csv),
          row: row, models: names ?? BuiltInCatalogue.models), output)
    }
  }
}
