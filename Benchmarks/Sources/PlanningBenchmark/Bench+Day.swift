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
    var moved: [Int] = []
    var segments: [Int] = []
  }

  private static let steps = 200
  private static let secondsPerStep = 86_400.0 / 200

  /// A day in 200 steps: rates swing by 30 % around those of random demand, each workload at an hour of its own, with noise
  /// on every rate of every step.
  func day(size: Int, seed: Int, noises: [Double], svg: String?) throws {
    print("A day of \(size) workloads in \(Self.steps) steps; the least is what is proven for the rates of each step\n")
    let ways = [
      Way(name: "afresh at every step", keeps: false),
      Way(name: "from the plan before, fewest GPUs"),
      Way(name: "with `--move-cost 0.05`", moveCost: 0.05),
      Way(
        name: "with `--move-cost 0.05`, dead band 3 %, hold one step", moveCost: 0.05,
        policy: .init(band: 0.03, hold: Self.secondsPerStep)),
    ]
    for noise in noises {
      let demands = demands(size, seed: seed, noise: noise)
      let least = demands.map { workloads in
        let plan = OptimalPlanner().plan(input(workloads), Bench.cores)
        return plan.summary.gpuCount - Int(plan.summary.gap ?? 0)
      }
      var table = Table([
        "noise \((noise * 100).text(0)) %", "GPUs above the least, mean", "most", "segments", "moved a step", "share",
        "CPU ms a plan",
      ])
      var courses: [Course] = []
      for way in ways {
        var meter = Meter()
        let course = play(way, demands, &meter)
        courses.append(course)
        let above = zip(course.gpus, least).map { Double($0 - $1) / Double($1) }
        let (moved, segments) = (course.moved.reduce(0, +), course.segments.dropFirst().reduce(0, +))
        let steps = Double(Self.steps - 1)
        table.add([
          way.name, (100 * above.reduce(0, +) / Double(above.count)).text(1) + " %",
          (100 * (above.max() ?? 0)).text(1) + " %", (Double(segments) / steps).text(0),
          (Double(moved) / steps).text(1), (100 * Double(moved) / Double(segments)).text(1) + " %",
          (meter.cpu / Double(Self.steps) * 1e3).text(1),
        ])
      }
      table.print()
      guard let svg, noise == noises.first else { continue }
      let picture = DayPicture(least: least, before: courses[1], calm: courses[courses.count - 1])
      try Data(picture.svg().utf8).write(to: URL(filePath: svg))
    }
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
      course.moved.append(current.map { changes($0, plan) } ?? 0)
      current = plan
    }
    return course
  }
}
