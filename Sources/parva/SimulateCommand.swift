import ArgumentParser
import Foundation
import ParvaControl
import ParvaEngine
import ParvaFormats

/// `parva simulate`: does a plan keep its promise when requests come as they come?
struct SimulateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate",
    abstract: "Play a plan through its demand, request by request, and report latencies and SLO attainment.",
    discussion: """
      Each segment is a queue before its processes: a free process takes what waits, up to the batch size, and a batch \
      runs as long as the profile says for its size. Times of events count from the start of what is measured. The \
      same input and seed give the same bytes, on any number of cores. Ends with 4 when --assert does not hold.
      """)

  @Argument(help: "The plan as JSON or YAML; - is standard input.")
  var plan: String

  @Option(name: .long, help: "The workloads that the plan serves, as JSON, YAML or CSV; - is standard input.")
  var workloads: String

  @OptionGroup var profileOptions: ProfileOptions
  @OptionGroup var traceOptions: TraceOptions
  @OptionGroup var simulation: SimulationArguments
  @OptionGroup var eventOptions: SimulationEventArguments
  @OptionGroup var output: OutputOptions

  @Option(name: .long, help: "Write a report with charts into this file, as one HTML page that needs nothing else.")
  var html: String?

  @Option(
    name: .long,
    help:
      "End with 4 when some workload is below this share in some seed, as 99% or 0.99, or below its own percentile: slo."
  )
  var assert: SimulationAssertion?

  @Flag(name: .long, help: "Tell on standard error how many requests were played through in what time.")
  var verbose = false

  func validate() throws {
    guard [plan, workloads, eventOptions.events].count(where: { $0 == "-" }) <= 1 else {
      throw ValidationError("Only one input can be standard input.")
    }
  }

  func run() throws {
    let source = try InputSource.load(plan, limit: InputLimits.planBytes)
    var sources = [source]
    let events = try eventOptions.read(duration: simulation.duration, plans: &sources)
    var input = SimulationInput(
      plan: try PlanReader.read(source), workloads: try DemandOptions.workloads(at: nil, from: workloads),
      profiles: try profileOptions.catalogue(), events: events.map(\.event), options: try simulation.options())
    let expected = Simulator.expectedRequests(input)
    guard expected <= Self.mostRequests else {
      throw ValidationError(
        "About \(expected) requests are more than \(Self.mostRequests), a day's work; shorten --duration or ask for fewer "
          + "--seeds.")
    }
    let drawsTime = html != nil || output.format != .csv
    if input.options.arrivals == nil { input.options.traces = try traceOptions.traces(for: input.workloads) }
    input.options.buckets = drawsTime ? Self.buckets(input) : 1
    let report = try simulate(input, sources, events.map(\.name))
    try write(report)
    if let html { try Console.write(SimulationPage(report).html(), toFile: html) }
    try check(report)
  }

  private static let mostRequests = 1e12

  /// Fewer stretches of time where there are very many segments, so that they fit into memory.
  private static func buckets(_ input: SimulationInput) -> Int {
    let segments = input.plan.gpus.reduce(0) { $0 + $1.segments.count } * input.options.seeds.count
    return max(1, min(120, 32_000_000 / max(1, segments)))
  }

  private func simulate(
    _ input: SimulationInput, _ sources: [InputSource], _ events: [String]
  ) throws -> SimulationReport {
    let progress = ProgressBar(total: Simulator.expectedRequests(input))
    let clock = ContinuousClock()
    let (began, spent) = (clock.now, Cores.processorSeconds)
    do {
      let report = try Simulator.run(input, .allCores(patience: .zero)) { progress.advance(by: $0) }
      progress.finish()
      if verbose {
        let (seconds, processor) = ((clock.now - began) / .seconds(1), Cores.processorSeconds - spent)
        let rate = { (time: Double) in String(Int(Double(report.simulated) / max(time, 1e-9))) }
        Console.error(
          "simulated \(report.simulated) requests in \(milliseconds(seconds)): \(rate(seconds)) requests/s, "
            + "\(rate(processor)) requests/s on one core (\(milliseconds(processor)) of processor time)")
      }
      return report
    } catch {
      throw error.inputErrors(plans: sources, events: events) ?? CommandFailure(.unexpected, "\(error)")
    }
  }

  private func milliseconds(_ seconds: Double) -> String { "\((seconds * 10000).rounded() / 10) ms" }

  private func write(_ report: SimulationReport) throws {
    switch output.format {
    case .table: try Console.write(SimulationWriter.text(report, output.style))
    case .json: try Console.write(SimulationWriter.json(report))
    case .yaml: try Console.write(SimulationWriter.yaml(report))
    case .csv: try Console.write(SimulationWriter.csv(report))
    }
  }

  private func check(_ report: SimulationReport) throws {
    guard let assert else { return }
    let failing = report.workloads.filter { $0.worstAttainment < assert.share(for: $0.workload) }
    guard !failing.isEmpty else { return }
    for figures in failing {
      Console.error(
        SimulationWriter.shortfall(figures, below: assert.share(for: figures.workload)))
    }
    throw CommandFailure(.checkFailed)
  }
}

/// What every workload must reach.
enum SimulationAssertion: ExpressibleByArgument {
  case share(Double)
  /// Its own percentile.
  case declared

  init?(argument: String) {
    if argument == "slo" {
      self = .declared
      return
    }
    let percent = argument.hasSuffix("%")
    guard let number = Double(percent ? String(argument.dropLast()) : argument) else { return nil }
    let share = percent ? number / 100 : number
    guard (0...1).contains(share) else { return nil }
    self = .share(share)
  }

  func share(for workload: Workload) -> Double {
    switch self {
    case .share(let share): share
    case .declared: workload.percentile
    }
  }
}
