import Foundation
import ParvaEngine
import ParvaFormats
import ParvaTestSupport
import Testing

/// Cases that a random search found hard, with the figures that an independent integer program gives.
@Suite struct HardCasesTests {
  /// What is right.
  enum Right: Sendable {
    /// The least value of the objective, and proven.
    case least(Double)
    /// All are served, proven, on no more GPUs than this: capacities have become sharper since the figure was found.
    case atMost(gpus: Int)
    /// All are served.
    case served
    /// These have their whole rate, and nobody else.
    case only([String])
  }

  fileprivate static let watts = PlanObjective(rawValue: "watts") ?? .gpus

  struct Case: Sendable, CustomTestStringConvertible {
    var workloads: String
    var pools: String?
    /// A file of the folder; the published measurements where there is none.
    var profiles: String?
    var admission = AdmissionRule.halfSLO
    var objective = PlanObjective.gpus
    var maxProcesses = 3
    var right: Right
    /// How often a planner may ask whether to stop.
    var patience = 800

    var testDescription: String {
      "\(workloads) on \(pools ?? "one pool") for \(objective.rawValue), \(maxProcesses) processes"
    }

    static let all = [
      Case(workloads: "w110", pools: "five-zones-25", admission: .certified, right: .atMost(gpus: 88)),
      Case(workloads: "s6", pools: "pools6t", admission: .certified, right: .atMost(gpus: 16)),
      Case(workloads: "s5", pools: "poolsmixs", profiles: "multi.csv", objective: .cost, right: .least(22.3)),
      Case(workloads: "s4", pools: "pools5s", admission: .certified, objective: .cost, right: .atMost(gpus: 7)),
      Case(workloads: "s5", pools: "pools4s", admission: .certified, objective: .cost, right: .served),
      Case(workloads: "w110", pools: "five-zones-18", right: .least(86)),
      Case(
        workloads: "stock3-4/w", pools: "stock3-4/pools", profiles: "stock3-4/p.csv", objective: HardCasesTests.watts,
        maxProcesses: 5, right: .least(43155)),
      Case(
        workloads: "stock3-4/w", pools: "stock3-4/pools", profiles: "stock3-4/p.csv", objective: HardCasesTests.watts,
        right: .least(44155)),
      Case(workloads: "stock-25/w", pools: "stock-25/pools", profiles: "stock-25/p.csv", right: .served),
      Case(
        workloads: "scarce1-54/w", pools: "scarce1-54/pools", profiles: "scarce1-54/p.csv",
        right: .only(["w11", "w12", "w13", "w23", "w29", "w35"]), patience: 200),
      Case(workloads: "s5", pools: "pools2s", objective: .cost, right: .least(33.2)),
      Case(workloads: "s3", pools: "poolsmixs", profiles: "multi.csv", objective: .cost, right: .least(9.3)),
      Case(workloads: "s3", pools: "zero", objective: .cost, right: .least(3)),
      Case(workloads: "few10", admission: .certified, right: .atMost(gpus: 20)),
      Case(workloads: "few39", maxProcesses: 5, right: .least(33)),
      Case(
        workloads: "single-793/w", pools: "single-793/pools", profiles: "single-793/p.csv", maxProcesses: 2,
        right: .least(51)),
      Case(workloads: "single-793/w", pools: "single-793/pools", profiles: "single-793/p.csv", right: .least(51)),
      Case(workloads: "spread-94/w", pools: "spread-94/pools", profiles: "spread-94/p.csv", right: .least(3)),
      Case(
        workloads: "spread-19/w", pools: "spread-19/pools", profiles: "spread-19/p.csv", objective: .cost,
        maxProcesses: 5, right: .least(15.1656921)),
      Case(
        workloads: "spread-55/w", pools: "spread-55/pools", profiles: "spread-55/p.csv", objective: .cost,
        right: .served),
    ]

    func input() throws -> PlanningInput {
      let folder = TestData.root.appending(path: "hard-cases").path
      let product = try PublishedScenarios.product
      let catalogue =
        try profiles.map { ProfileCatalogue(try ProfileReader.load("\(folder)/\($0)", product: product)) }
        ?? ProfileCatalogue(try ProfileReader.load(TestData.root.appending(path: "profiles").path, product: product))
      return PlanningInput(
        workloads: try WorkloadReader.read(InputSource.load("\(folder)/\(workloads).json")),
        pools: try pools.map { try PoolReader.read(InputSource.load("\(folder)/\($0).json")) }
          ?? [Pool(product: product)],
        profiles: catalogue,
        options: PlanningOptions(
          admission: admission, maxProcesses: maxProcesses, objective: objective, certificate: true, headroom: false))
    }
  }

  @Test("are planned right, within a limit on work", arguments: Case.all)
  func planned(_ testCase: Case) throws {
    let input = try testCase.input()
    let plan = OptimalPlanner().plan(input, PlanningContext.serial.limited(to: testCase.patience))
    #expect(PlanChecker.violations(of: plan, against: input) == [])
    let served = Set(plan.gpus.flatMap { $0.segments.map(\.workload) })
    if case .only(let expected) = testCase.right {
      // Who takes less may have what is left over.
      #expect(served.subtracting(plan.partial.map(\.workload)) == Set(expected))
      return
    }
    #expect(plan.unplaced == [] && plan.partial == [])
    #expect(served.count == input.workloads.count)
    let cost =
      testCase.objective == .gpus
      ? Double(plan.summary.gpuCount) : try #require(plan.summary.sums[testCase.objective.name])
    switch testCase.right {
    case .least(let least):
      #expect((cost - least).magnitude < 1e-4)
      #expect(plan.status == .optimal)
    case .atMost(let gpus):
      #expect(plan.summary.gpuCount <= gpus)
      #expect(plan.status == .optimal)
    case .served, .only: break
    }
  }
}
