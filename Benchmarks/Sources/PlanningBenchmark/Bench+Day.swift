import BenchmarkInputs
import Foundation
import ParvaEngine

extension Bench {
  /// How a day is planned.
  private struct Way {
    var name: String
    var keeps = true
    var moveCost = 0.0
    var policy = SteadyRate.Policy.none
  }

  /// What a way made of a day.
  struct Course {
    var name: String
    var gpus: [Int] = []
    /// Segments that are elsewhere, run differently or are new, as against the step before.
    var moved: [Int] = []
    /// These and those that are gone.
    var changed: [Int] = []
    var segments: [Int] = []
  }

  private static let steps = 200
  private static let secondsPerStep = 86_400.0 / 200

  /// What a way made of the days of several seeds: per seed a share of all, or a mean.
  private struct Score {
    var above: [Double] = []
    var most = 0.0
    var segments: [Double] = []
    var changed: [Double] = []
    var moved: [Double] = []
    var meter = Meter()
  }

  /// A day in 200 steps: rates swing by 30 % around those of random demand, each workload at an hour of its own, with noise
  /// on every rate of every step. The dead band is twice the noise.
  func day(size: Int, seeds: Int, noises: [Double], svg: String?) throws {
    print("A day of \(size) workloads in \(Self.steps) steps, seeds 1 to \(seeds); the least is proven of each step\n")
    for noise in noises {
      let band = (200 * noise).text(0) + " %"
      let ways = [
        Way(name: "afresh at every step", keeps: false),
        Way(name: "from the plan before, fewest GPUs"),
        Way(name: "with `--move-cost 0.05`", moveCost: 0.05),
        Way(
          name: "with `--move-cost 0.05`, dead band \(band)", moveCost: 0.05, policy: .init(band: 2 * noise, hold: 0)),
        Way(
          name: "the same, hold one step", moveCost: 0.05,
          policy: .init(band: 2 * noise, hold: Self.secondsPerStep)),
      ]
      var scores = ways.map { _ in Score() }
      for seed in 1...seeds {
        let demands = demands(size, seed: seed, noise: noise)
        let least = demands.map { workloads in
          let plan = OptimalPlanner().plan(input(workloads), Bench.cores)
          return plan.summary.gpuCount - Int(plan.summary.gap ?? 0)
        }
        let courses = ways.indices.map { way in
          let course = play(ways[way], demands, &scores[way].meter)
          let above = zip(course.gpus, least).map { Double($0 - $1) / Double($1) }
          let segments = Double(course.segments.dropFirst().reduce(0, +))
          scores[way].above.append(above.reduce(0, +) / Double(above.count))
          scores[way].most = max(scores[way].most, above.max() ?? 0)
          scores[way].segments.append(segments / Double(Self.steps - 1))
          scores[way].changed.append(Double(course.changed.reduce(0, +)) / segments)
          scores[way].moved.append(Double(course.moved.reduce(0, +)) / segments)
          return course
        }
        guard let svg, seed == 1, noise == noises.first else { continue }
        let picture = DayPicture(least: least, before: courses[1], calm: courses[3])
        try Data(picture.svg().utf8).write(to: URL(filePath: svg))
      }
      report(zip(ways, scores).map { ($0, $1) }, noise)
    }
  }

  private func report(_ rows: [(Way, Score)], _ noise: Double) {
    func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
    func percent(_ value: Double?) -> String { (100 * (value ?? 0)).text(1) + " %" }
    var table = Table([
      "noise \((noise * 100).text(0)) %", "GPUs above the least, mean", "worst seed", "worst step", "segments",
      "changed a step", "moved a step", "worst seed", "CPU ms a plan",
    ])
    for (way, score) in rows {
      table.add([
        way.name, percent(mean(score.above)), percent(score.above.max()), percent(score.most),
        mean(score.segments).text(0), percent(mean(score.changed)), percent(mean(score.moved)),
        percent(score.moved.max()), (score.meter.cpu / Double(Self.steps * score.above.count) * 1e3).text(1),
      ])
    }
    table.print()
  }

  private func demands(_ size: Int, seed: Int, noise: Double) -> [[Workload]] {
    let base = random(size, seed: seed)
    var generator = Generator(seed: UInt64(seed) + 2_000_000)
    let hours = base.map { _ in 0.1 * generator.normal() }
    return (0..<Self.steps).map { step in
      base.indices.map { index in
        var workload = base[index]
        let turn = 2 * Double.pi * (Double(step) / Double(Self.steps) + hours[index])
        workload.rate *= (1 + 0.3 * sin(turn)) * exp(noise * generator.normal())
        return workload
      }
    }
  }

  private func play(_ way: Way, _ demands: [[Workload]], _ meter: inout Meter) -> Course {
    var course = Course(name: way.name)
    var states: [SteadyRate] = []
    var current: Plan?
    for (step, workloads) in demands.enumerated() {
      let time = Double(step) * Self.secondsPerStep
      var planned = workloads
      for index in planned.indices where way.policy != .none {
        if step == 0 {
          states.append(SteadyRate(planned[index].rate, at: time, way.policy))
        } else {
          states[index].observe(planned[index].rate, at: time, way.policy)
        }
        planned[index].rate = states[index].planned
        if planned[index].rate < workloads[index].rate { fail("step \(step): planned for less than the rate") }
      }
      var input = input(planned)
      input.options.moveCost = way.moveCost
      input.current = way.keeps ? current : nil
      let plan = meter.measure { OptimalPlanner().plan(input, Bench.cores) }
      check(plan, input, "step \(step)")
      course.gpus.append(plan.summary.gpuCount)
      course.segments.append(plan.gpus.reduce(0) { $0 + $1.segments.count })
      course.changed.append(current.map { changes($0, plan) } ?? 0)
      course.moved.append(current.map { moves($0, plan) } ?? 0)
      current = plan
    }
    return course
  }

  private func moves(_ old: Plan, _ new: Plan) -> Int {
    PlanDiff(from: old, to: new).changes.count {
      switch $0 {
      case .added, .moved, .retuned: true
      case .removed, .reloaded: false
      }
    }
  }
}
