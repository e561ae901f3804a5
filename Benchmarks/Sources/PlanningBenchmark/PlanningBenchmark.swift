import BenchmarkInputs
import Dispatch
import Foundation
import ParvaEngine

/// Prints the tables of docs/planning.md. Ends with 1 when a plan fails its check or a promise is broken.
@main
struct PlanningBenchmark {
  static let usage = """
    usage: scripts/benchmark planning [scenarios|growth|pools|proofs|keeping|day|once]... [--data FOLDER] [--sizes N,N,...] [--seeds N,N,...] [--svg FILE]
      scenarios  the six published scenarios, all planners
      growth     random demand of growing size: GPUs, time and memory of optimal beside parvagpu
      pools      the same on one, three and eight pools with prices and stock
      proofs     60 workloads on eight pools with exclusions, tenants, spread and too little stock: how many plans are proven
      keeping    how many segments change when a share of the rates changes
      day        a day of demand in 200 steps with noise: GPUs and moved segments, with and without calm
      once       one plan of the first size and seed, for a profiler
      --data     the published measurements (default: ../shared/data/parvagpu-sc24)
      --sizes    workloads (default: 110,1100,11000,110000)
      --seeds    how many seeds for each size (default: 20,5,3,1)
      --svg      where to draw the day
    """

  static func main() throws {
    var arguments = CommandLine.arguments.dropFirst()
    var sections: [String] = []
    var folder = "../shared/data/parvagpu-sc24"
    var svg: String?
    var (sizes, seeds) = ([110, 1100, 11000, 110_000], [20, 5, 3, 1])
    while let word = arguments.popFirst() {
      switch word {
      case "scenarios", "growth", "pools", "proofs", "keeping", "day", "once": sections.append(word)
      case "--data": folder = arguments.popFirst() ?? folder
      case "--svg": svg = arguments.popFirst()
      case "--sizes": sizes = numbers(arguments.popFirst())
      case "--seeds": seeds = numbers(arguments.popFirst())
      default:
        FileHandle.standardError.write(Data((usage + "\n").utf8))
        exit(2)
      }
    }
    guard let product = ProductCatalogue.product(named: "A100-80GB"), !sizes.isEmpty, !seeds.isEmpty else { exit(2) }
    let published = try Published(folder: URL(filePath: folder), product: product)
    let bench = Bench(published: published, product: product)
    if sections.isEmpty { sections = ["scenarios", "growth", "keeping"] }
    for section in sections {
      switch section {
      case "scenarios": bench.scenarios()
      case "growth": bench.growth(sizes: sizes, seeds: seeds)
      case "pools": bench.pools(sizes: sizes, seeds: seeds)
      case "proofs": bench.proofs(size: 60, seeds: seeds[0])
      case "keeping": bench.keeping(sizes: sizes, seeds: seeds)
      case "day": try bench.day(size: sizes[0], seeds: seeds[0], noises: [0.02, 0.05], svg: svg)
      default: bench.once(size: sizes[0], seed: seeds[0])
      }
    }
  }

  private static func numbers(_ text: String?) -> [Int] {
    (text ?? "").split(separator: ",").compactMap { Int($0) }.filter { $0 > 0 }
  }
}

/// What every section needs.
struct Bench {
  let published: Published
  let product: GPUProduct

  /// All cores, and as long as it takes.
  static let cores = PlanningContext(
    forEach: { count, body in DispatchQueue.concurrentPerform(iterations: count, execute: body) },
    shouldStop: { false })

  /// All cores, and the default time limit of the command line for each plan that begins now.
  static var patient: PlanningContext {
    patient(workloads: 0)
  }

  /// The same for so many workloads, see `docs/planning.md`.
  static func patient(workloads: Int) -> PlanningContext {
    let start = ContinuousClock.now
    let patience = max(.seconds(1), .milliseconds(1800) - .nanoseconds(5000) * workloads)
    return PlanningContext(
      forEach: { count, body in DispatchQueue.concurrentPerform(iterations: count, execute: body) },
      shouldStop: { ContinuousClock.now >= start + patience },
      shouldHurry: { ContinuousClock.now >= start + patience * 0.5 },
      shouldSettle: { ContinuousClock.now >= start + patience * 0.5 })
  }

  func input(_ workloads: [Workload], maxProcesses: Int = 3, headroom: Bool = true) -> PlanningInput {
    PlanningInput(
      workloads: workloads, pools: [Pool(product: product)], profiles: published.profiles,
      options: PlanningOptions(admission: .halfSLO, maxProcesses: maxProcesses, headroom: headroom))
  }

  func random(_ size: Int, seed: Int) -> [Workload] {
    var generator = Generator(seed: UInt64(seed))
    return generator.workloads(size, from: published.scenarios)
  }

  /// Ends the run when a plan is not what it says.
  func check(_ plan: Plan, _ input: PlanningInput, _ what: String) {
    guard let fault = PlanChecker.violations(of: plan, against: input).first else { return }
    fail("\(what): the plan of \(plan.planner) breaks \(fault.code.rawValue): \(fault.message)")
  }

  func fail(_ message: String) {
    FileHandle.standardError.write(Data("benchmark: \(message)\n".utf8))
    exit(1)
  }

  /// Nothing but a plan, so that a profiler sees nothing else.
  func once(size: Int, seed: Int) {
    print(OptimalPlanner().plan(input(random(size, seed: seed))).summary.gpuCount)
  }
}
