import ParvaEngine
import ParvaFormats
import Testing

@Suite("The picture of a plan")
struct PlanPictureTests {
  static let product = ProductCatalogue.product(named: "A100-80GB") ?? ProductCatalogue.all[0]

  static func segment(_ workload: String, _ ordinal: Int, _ profile: String, at start: Int, load: Double) -> Segment {
    Segment(
      workload: workload, ordinal: ordinal, model: "m", profile: product.profileIndex(named: profile) ?? 0,
      start: start, batch: 16, processes: 2, capacity: 400, load: load, latencyMs: 62.5)
  }

  static func plan(_ gpus: [[Segment]], unplaced: [Unserved] = []) -> Plan {
    Plan(
      planner: "parvagpu", admission: "half-slo", status: unplaced.isEmpty ? .feasible : .infeasible,
      gpus: gpus.map { PlannedGPU(pool: "default", product: product, segments: $0) }, unplaced: unplaced,
      summary: PlanSummary(
        gpuCount: gpus.count, allocatedSlices: 11, externalFragmentation: 0.2142, internalSlack: 0.05,
        profileSource: .modelled))
  }

  static let small = plan(
    [
      [segment("resnet50", 0, "4g.40gb", at: 0, load: 400), segment("bert", 0, "3g.40gb", at: 4, load: 19)],
      [
        segment("a-name-too-long-for-one-slice", 0, "1g.10gb", at: 2, load: 1),
        segment("vgg", 0, "3g.40gb", at: 4, load: 1000),
      ],
    ], unplaced: [Unserved(workload: "x", code: .noProfile, message: "no profile of model y")])

  @Test func showsEachInstanceWhereItStands() {
    let expected = """
      A100-80GB: 2 GPUs of 7 compute slices
              ┌───────────────────────────────────┬───────────────────────────────────┐
      GPU 0   │             resnet50              │               bert                │
              │           4g.40gb b16×2           │           3g.40gb b16×2           │
              ├─────────────────┬────────┬────────┼───────────────────────────────────┤
      GPU 1   │░░░░░░░░░░░░░░░░░│a-name-…│░░░░░░░░│                vgg                │
              │░░░░░░░░░░░░░░░░░│1g b16×2│░░░░░░░░│           3g.40gb b16×2           │
              └─────────────────┴────────┴────────┴───────────────────────────────────┘

      workload                       segments  instance  batch  processes  load/s  capacity/s   used  exec ms
      a-name-too-long-for-one-slice         1  1g.10gb      16          2    1.00       400.0    0 %    62.50
      bert                                  1  3g.40gb      16          2   19.00       400.0    5 %    62.50
      resnet50                              1  4g.40gb      16          2   400.0       400.0  100 %    62.50
      vgg                                   1  3g.40gb      16          2    1000       400.0  250 %    62.50

      Not served: 1 workload
        x: no profile of model y [no_profile]

      2 GPUs · 11 of 14 slices allocated · external fragmentation 21.4 % · internal slack 5.0 %
      planner: parvagpu · admission: half-slo · status: infeasible · profiles: modelled

      """
    #expect(PlanPicture(Self.small, style: TextStyle(width: 84)).text() == expected)
  }

  @Test func plainASCIIHoldsNothingElse() {
    let text = PlanPicture(Self.small, style: TextStyle(width: 84, unicode: false)).text()
    #expect(text.utf8.allSatisfy { $0 == 0x0a || (0x20...0x7e).contains($0) })
    #expect(text.contains("GPU 1   |.................|a-name-~|........|                vgg                |"))
  }

  @Test(arguments: [10, 48, 60, 84, 110, 200, 1000]) func barsKeepToTheWidth(width: Int) {
    let style = TextStyle(width: width)
    let bars = PlanPicture(Self.small, style: style).text().split(separator: "\n").filter { $0.contains("│") }
    #expect(!bars.isEmpty)
    #expect(bars.allSatisfy { $0.count <= max(width, TextStyle.minimumWidth) })
    #expect(Set(bars.map(\.count)).count == 1)
  }

  @Test func coloursStandOnlyAroundTheText() {
    let plain = PlanPicture(Self.small, style: TextStyle(width: 84)).text()
    let colored = PlanPicture(Self.small, style: TextStyle(width: 84, color: true)).text()
    #expect(colored != plain)
    #expect(colored.replacing(#/\u{1b}\[[0-9;]*m/#, with: "") == plain)
  }

  @Test func equalGPUsAreDrawnOnce() {
    let gpu = { (number: Int) in [Self.segment("w", number, "7g.80gb", at: 0, load: 5)] }
    let text = PlanPicture(Self.plan((0..<30).map(gpu)), style: TextStyle(width: 84)).text()
    #expect(text.split(separator: "\n").filter { $0.hasPrefix("GPU") }.count == 1)
    #expect(text.contains("×30 "))
  }

  @Test func veryLargePlansAreCounted() {
    let gpu = { (number: Int) in [Self.segment("w\(number)", 0, "7g.80gb", at: 0, load: 5)] }
    let text = PlanPicture(Self.plan((0..<500).map(gpu)), style: TextStyle()).text()
    #expect(text.contains("… and 452 GPUs more; -o csv lists all"))
    #expect(text.contains("… and 380 rows more; -o csv lists all"))
  }

  @Test func anEmptyPlanIsStillSummed() {
    let text = PlanPicture(Self.plan([]), style: TextStyle()).text()
    #expect(text.hasPrefix("0 GPUs"))
    #expect(text.hasSuffix("profiles: modelled\n"))
  }

  @Test func aBoundIsShownWithWhatItProves() {
    var plan = Self.plan([[Self.segment("w", 0, "7g.80gb", at: 0, load: 5)]])
    (plan.summary.lowerBound, plan.summary.gap, plan.status) = (0.136, 0, .optimal)
    #expect(PlanPicture(plan, style: TextStyle()).text().contains("1 GPU (lower bound 0.14, proven minimal) ·"))
    (plan.summary.gap, plan.status) = (2, .feasible)
    #expect(PlanPicture(plan, style: TextStyle()).text().contains("1 GPU (lower bound 0.14, gap 2) ·"))
  }

  @Test(arguments: 1...200 as ClosedRange<UInt64>) func drawsAnyPlanAtAnyWidth(seed: UInt64) {
    var random = SeededGenerator(seed)
    let plan = RandomPlans.plan(&random)
    let style = TextStyle(width: Int.random(in: 1...200, using: &random), unicode: Bool.random(using: &random))
    #expect(PlanPicture(plan, style: style).text().hasSuffix("\n"), "seed \(seed)")
  }
}
