import Foundation
import ParvaEngine
import ParvaTestSupport
import Testing

@testable import ParvaFormats

@Suite("Plan documents")
struct PlanDocumentTests {
  @Test("a document that is written from the one before is the one that is written whole")
  func documentsFromThoseBefore() {
    let seed = TestSeed.of(offset: 9)
    var random = SeededGenerator(seed)
    var before: WrittenPlan?
    var plan = RandomPlans.plan(&random)
    for _ in 0..<400 {
      let written = WrittenPlan(plan, after: before)
      #expect(written.json == PlanWriter.json(plan), "seed \(seed)")
      before = Int.random(in: 0..<20, using: &random) == 0 ? nil : written
      var next = RandomPlans.plan(&random)
      if Bool.random(using: &random) { next.planner = "another planner" }
      let (place, other) = (Int.random(in: 0...plan.gpus.count, using: &random), next.gpus)
      switch Int.random(in: 0...4, using: &random) {
      case 0: next.gpus = other
      case 1: next.gpus = Array(plan.gpus[..<place])
      case 2: next.gpus = Array(plan.gpus[..<place] + other.prefix(1) + plan.gpus[place...])
      case 3: next.gpus = Array(plan.gpus[..<place] + other.prefix(1) + plan.gpus[place...].dropFirst())
      default: next.gpus = plan.gpus
      }
      plan = next
    }
  }

  @Test(arguments: [InputFormat.json, .yaml])
  func aWrittenPlanReadsBackEqual(format: InputFormat) throws {
    for seed in 1...300 as ClosedRange<UInt64> {
      var random = SeededGenerator(seed)
      let plan = RandomPlans.plan(&random)
      let bytes = format == .json ? PlanWriter.json(plan) : PlanWriter.yaml(plan)
      do {
        #expect(try PlanReader.read(InputSource(bytes, format: format)) == plan, "seed \(seed)")
      } catch {
        Issue.record("seed \(seed): \(error)\n\(String(decoding: bytes, as: UTF8.self))")
      }
    }
  }

  @Test("S8: GPUs listed in another order are the plan of their numbers; numbers that are none are refused")
  func renumbered() throws {
    var random = SeededGenerator(11)
    var plan = RandomPlans.plan(&random)
    while plan.gpus.count < 3 { plan = RandomPlans.plan(&random) }
    let text = String(decoding: PlanWriter.json(plan), as: UTF8.self)
    let last = plan.gpus.count - 1
    let swapped = text.replacing("\"index\": 0,", with: "\"index\": x,")
      .replacing("\"index\": \(last),", with: "\"index\": 0,").replacing("\"index\": x,", with: "\"index\": \(last),")
    var expected = plan
    expected.gpus.swapAt(0, last)
    #expect(try PlanReader.read(InputSource(Data(swapped.utf8))) == expected)
    for wrong in ["1", "\(last + 1)", "-1"] {
      let refusals = try #require(throws: InputErrors.self) {
        try PlanReader.read(InputSource(Data(text.replacing("\"index\": 0,", with: "\"index\": \(wrong),").utf8)))
      }
      #expect(refusals.first.code == .contradiction && refusals.first.pointer?.hasSuffix("/index") == true)
    }
  }

  @Test("S8: a plan in force with segments that cannot stand so is refused with their place")
  func illegalInForce() throws {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    let input = RandomDemand.input(seed: 5, products: [product], models: 2, workloads: 6)
    var plan = OptimalPlanner().plan(input)
    #expect(try PlanReader.readInForce(InputSource(PlanWriter.json(plan))) == plan)
    let last = plan.gpus.count - 1
    plan.gpus[last].segments[0].start = 6
    plan.gpus[last].segments[0].profile = try #require(product.profileIndex(named: "7g.80gb"))
    let source = InputSource(PlanWriter.json(plan), name: "plan.json")
    let refusals = try #require(throws: InputErrors.self) { try PlanReader.readInForce(source) }
    #expect(refusals.first.code == .illegalPlacement && refusals.first.line != nil)
    #expect(refusals.first.pointer == "/gpus/\(last)/segments/0")
    #expect(try PlanReader.read(source).gpus.count == last + 1)
  }

  @Test("S1: what the quick way accepts, the general way reads the same")
  func theQuickWayIsTheGeneralWay() throws {
    let seed = TestSeed.of()
    var random = SeededGenerator(seed)
    var quick = 0
    var round = -1
    // Few damaged plans are still read; the rounds go on until some were.
    while round < 249 || (quick <= 2 && round < 20_000) {
      round += 1
      var plan = RandomPlans.plan(&random)
      if Bool.random(using: &random) { plan.certificate = nil }
      let whole = PlanWriter.json(plan)
      if plan.certificate == nil { #expect(QuickPlanParser.plan(whole) == plan, "seed \(seed), round \(round)") }
      let named = PlanWriter.json(whole, as: PlanIdentity(revision: 7, demandRevision: 0))
      #expect(try PlanReader.read(InputSource(named, format: .json)) == plan, "seed \(seed), round \(round)")
      let damaged = MutatedInputTests.damage(round % 3 == 0 ? named : whole, &random)
      guard let read = QuickPlanParser.plan(damaged) else { continue }
      quick += 1
      let general = try? PlanReader.readGenerally(InputSource(damaged, format: .json))
      #expect(general == read, "seed \(seed), round \(round): \(String(decoding: damaged, as: UTF8.self))")
    }
    #expect(quick > 2, "only \(quick) damaged plans were read at all, seed \(seed)")
  }

  @Test("S4: a plan may carry the revisions that its controller gave it")
  func aPublishedPlanIsRead() throws {
    var random = SeededGenerator(11)
    let plan = RandomPlans.plan(&random)
    let identity = PlanIdentity(revision: 5, demandRevision: 12)
    let json = PlanWriter.json(PlanWriter.json(plan), as: identity)
    let yaml = PlanWriter.yaml(plan, as: identity)
    let start = #"""
      {
        "schemaVersion": 1,
        "revision": 5,
        "demandRevision": 12,
        "planner":
      """#
    #expect(String(decoding: json, as: UTF8.self).hasPrefix(start))
    for (bytes, format) in [(json, InputFormat.json), (yaml, .yaml)] {
      #expect(try PlanReader.read(InputSource(bytes, format: format)) == plan)
    }
    #expect(try PlanReader.readGenerally(InputSource(json, format: .json)) == plan)
  }

  @Test func theSamePlanGivesTheSameBytes() {
    var first = SeededGenerator(7)
    var second = SeededGenerator(7)
    let (a, b) = (RandomPlans.plan(&first), RandomPlans.plan(&second))
    #expect(PlanWriter.json(a) == PlanWriter.json(b))
    #expect(PlanWriter.yaml(a) == PlanWriter.yaml(b))
    #expect(PlanWriter.csv(a) == PlanWriter.csv(b))
  }

  @Test(.enabled(if: SharedData.isPresent, "the shared measurements are not here"), arguments: 1...6)
  func publishedScenariosSurviveTheRoundTrip(number: Int) throws {
    let plan = ParvaGPUPlanner().plan(
      PlanningInput(
        workloads: try PublishedScenarios.workloads(number), pools: [Pool(product: try PublishedScenarios.product)],
        profiles: try PublishedScenarios.measuredProfiles()))
    #expect(try PlanReader.read(InputSource(PlanWriter.json(plan))) == plan)
    #expect(try PlanReader.read(InputSource(PlanWriter.yaml(plan))) == plan)
  }

  @Test func membersStandInTheOrderOfTheInterface() throws {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    let profile = try #require(product.profileIndex(named: "3g.40gb"))
    let plan = Plan(
      planner: "optimal", admission: "half-slo", objective: .cost, maxProcesses: 2, status: .infeasible,
      gpus: [
        PlannedGPU(
          pool: "default", product: product,
          segments: [
            Segment(
              workload: "resnet50", ordinal: 0, model: "resnet50", profile: profile, start: 4, batch: 64,
              processes: 2, capacity: 980.1, load: 829, latencyMs: 88.2)
          ])
      ],
      unplaced: [Unserved(workload: "x", code: .sloUnreachable, message: "no point keeps 1 ms")],
      summary: PlanSummary(
        gpuCount: 1, lowerBound: 0.4, gap: 0, allocatedSlices: 3, externalFragmentation: 0.5, internalSlack: 0.1,
        profileSource: .measured))
    let json = """
      {
        "schemaVersion": 1,
        "planner": "optimal",
        "admission": "half-slo",
        "objective": "cost",
        "maxProcesses": 2,
        "status": "infeasible",
        "gpus": [
          {
            "index": 0,
            "pool": "default",
            "product": "A100-80GB",
            "node": null,
            "uuid": null,
            "segments": [
              { "id": "resnet50/0", "workload": "resnet50", "model": "resnet50", "profile": "3g.40gb", "profileId": 9, \
      "start": 4, "size": 4, "computeSlices": 3, "batch": 64, "processes": 2, "capacity": 980.1, "load": 829.0, \
      "latencyMs": 88.2 }
            ]
          }
        ],
        "unplaced": [
          { "workload": "x", "code": "slo_unreachable", "message": "no point keeps 1 ms" }
        ],
        "summary": {
          "gpuCount": 1,
          "lowerBound": 0.4,
          "gap": 0.0,
          "allocatedSlices": 3,
          "externalFragmentation": 0.5,
          "internalSlack": 0.1,
          "cost": null,
          "watts": null,
          "profileSource": "measured"
        }
      }

      """
    #expect(String(decoding: PlanWriter.json(plan), as: UTF8.self) == json)
    let csv = """
      gpu,pool,product,node,uuid,segment,workload,model,profile,profile_id,start,size,compute_slices,batch,processes,\
      capacity,load,latency_ms,profile_source
      0,default,A100-80GB,,,resnet50/0,resnet50,resnet50,3g.40gb,9,4,4,3,64,2,980.1,829.0,88.2,measured

      """
    #expect(String(decoding: PlanWriter.csv(plan), as: UTF8.self) == csv)
    let yaml = """
      schemaVersion: 1
      planner: optimal
      admission: half-slo
      objective: cost
      maxProcesses: 2
      status: infeasible
      gpus:
        - index: 0
          pool: default
          product: A100-80GB
          node: null
          uuid: null
          segments:
            - id: resnet50/0
              workload: resnet50
              model: resnet50
              profile: "3g.40gb"
              profileId: 9
              start: 4
              size: 4
              computeSlices: 3
              batch: 64
              processes: 2
              capacity: 980.1
              load: 829.0
              latencyMs: 88.2
      unplaced:
        - workload: x
          code: slo_unreachable
          message: "no point keeps 1 ms"
      summary:
        gpuCount: 1
        lowerBound: 0.4
        gap: 0.0
        allocatedSlices: 3
        externalFragmentation: 0.5
        internalSlack: 0.1
        cost: null
        watts: null
        profileSource: measured

      """
    #expect(String(decoding: PlanWriter.yaml(plan), as: UTF8.self) == yaml)
  }

  struct Refused: Sendable, CustomTestStringConvertible {
    let name: String
    let change: (String, String)
    let code: InputError.Code
    let pointer: String
    var testDescription: String { name }
  }

  static let refused = [
    Refused(
      name: "another schema version", change: ("\"schemaVersion\": 1", "\"schemaVersion\": 2"),
      code: .unsupportedVersion, pointer: "/schemaVersion"),
    Refused(
      name: "a product nobody knows", change: ("A100-80GB", "A101-80GB"), code: .unknownProduct,
      pointer: "/gpus/0/product"),
    Refused(
      name: "a profile id the product lacks", change: ("\"profileId\": 9", "\"profileId\": 99"),
      code: .unknownProfile, pointer: "/gpus/0/segments/0/profileId"),
    Refused(
      name: "a name that is not that of the id", change: ("3g.40gb", "4g.40gb"), code: .contradiction,
      pointer: "/gpus/0/segments/0/profile"),
    Refused(
      name: "a segment's id of another workload", change: ("\"id\": \"a/0\"", "\"id\": \"b/0\""),
      code: .invalidName, pointer: "/gpus/0/segments/0/id"),
    Refused(
      name: "an objective that is none", change: ("\"maxProcesses\"", "\"objective\": \"fun\", \"maxProcesses\""),
      code: .outOfRange, pointer: "/objective"),
    Refused(
      name: "no processes", change: ("\"maxProcesses\": 3", "\"maxProcesses\": 0"), code: .outOfRange,
      pointer: "/maxProcesses"),
    Refused(name: "a status that is none", change: ("feasible", "splendid"), code: .outOfRange, pointer: "/status"),
    Refused(
      name: "a gap in the list", change: ("\"index\": 0", "\"index\": 1"), code: .contradiction,
      pointer: "/gpus/0/index"),
    Refused(
      name: "a key that is none", change: ("\"batch\": 8", "\"bach\": 8"), code: .unknownKey,
      pointer: "/gpus/0/segments/0/bach"),
    Refused(
      name: "a missing key", change: ("\"batch\": 8,", ""), code: .missingKey,
      pointer: "/gpus/0/segments/0"),
    Refused(
      name: "text for a number", change: ("\"batch\": 8", "\"batch\": \"8\""), code: .wrongType,
      pointer: "/gpus/0/segments/0/batch"),
  ]

  @Test(arguments: refused) func aBrokenDocumentIsRefusedAtItsPlace(_ item: Refused) throws {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    let profile = try #require(product.profileIndex(named: "3g.40gb"))
    let segment = Segment(
      workload: "a", ordinal: 0, model: "m", profile: profile, start: 0, batch: 8, processes: 1, capacity: 2, load: 1,
      latencyMs: 3)
    let plan = Plan(
      planner: "p", admission: "half-slo", maxProcesses: 3, status: .feasible,
      gpus: [PlannedGPU(pool: "default", product: product, segments: [segment])], unplaced: [],
      summary: PlanSummary(
        gpuCount: 1, allocatedSlices: 3, externalFragmentation: 0, internalSlack: 0, profileSource: .measured))
    let text = String(decoding: PlanWriter.json(plan), as: UTF8.self)
    let broken = text.replacing(item.change.0, with: item.change.1, maxReplacements: 1)
    #expect(broken != text)
    let errors = try #require(throws: InputErrors.self) { try PlanReader.read(InputSource(Data(broken.utf8))) }
    #expect(errors.first.code == item.code)
    #expect(errors.first.pointer == item.pointer)
  }
}
