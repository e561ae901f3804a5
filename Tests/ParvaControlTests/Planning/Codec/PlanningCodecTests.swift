import ParvaControlTestSupport
import ParvaEngine
import ParvaTestSupport
import Testing

@testable import ParvaControl

@Suite struct PlanningCodecTests {
  private static func round(_ job: PlanningJob) throws -> PlanningJob {
    var writer = ByteWriter()
    PlanningCodec.write(job.input.profiles, to: &writer)
    var reader = try ByteReader(writer.finish())
    let profiles = try PlanningCodec.profiles(from: &reader)
    try reader.end()
    writer = ByteWriter()
    PlanningCodec.write(job.input.traces, to: &writer)
    reader = try ByteReader(writer.finish())
    let traces = try PlanningCodec.traces(from: &reader)
    try reader.end()
    writer = ByteWriter()
    PlanningCodec.write(job, to: &writer)
    reader = try ByteReader(writer.finish())
    let read = try PlanningCodec.job(
      from: &reader, profiles: profiles, traces: traces, capacities: CapacityCache())
    try reader.end()
    return read
  }

  private static func bytes(of plan: Plan) -> [UInt8] {
    var writer = ByteWriter()
    PlanningCodec.write(plan, to: &writer)
    return writer.finish()
  }

  @Test("P1: what crosses to the planning process and back is what was sent", arguments: 0..<60)
  func roundTrip(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let job = RandomPlanning.job(&random)
    let read = try Self.round(job)
    #expect(read.planner.name == job.planner.name && read.patience == job.patience && read.isResort == job.isResort)
    #expect(read.input.workloads == job.input.workloads.map(PlanningCodec.planned), "seed \(seed)")
    #expect(read.input.pools == job.input.pools, "seed \(seed)")
    #expect(read.input.options == job.input.options, "seed \(seed)")
    #expect(read.input.profiles == job.input.profiles, "seed \(seed)")
    #expect(read.input.traces == job.input.traces, "seed \(seed)")
    #expect(read.input.current == job.input.current, "seed \(seed)")
    #expect(read.input.quotas == job.input.quotas, "seed \(seed)")
    #expect(read.input.shares == job.input.shares, "seed \(seed)")
  }

  @Test("P1: what is told as a difference from what crossed before is what was sent", arguments: 0..<40)
  func differences(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var job = RandomPlanning.job(&random)
    var (sent, known) = (PlanningMemory(), PlanningMemory())
    for _ in 0..<6 {
      var writer = ByteWriter()
      PlanningCodec.write(job, after: sent, to: &writer)
      var reader = try ByteReader(writer.finish())
      let read = try PlanningCodec.job(
        from: &reader, after: known, profiles: job.input.profiles, traces: job.input.traces, capacities: CapacityCache()
      )
      try reader.end()
      #expect(read.input.workloads == job.input.workloads.map(PlanningCodec.planned), "seed \(seed)")
      #expect(read.input.current == job.input.current, "seed \(seed)")
      var plan = job.input.current ?? RandomPlanning.plan(&random)
      RandomPlanning.edit(&plan.gpus, RandomPlanning.plan(&random).gpus, &random)
      writer = ByteWriter()
      PlanningCodec.write(plan, after: job.input.current?.gpus ?? [], to: &writer)
      reader = try ByteReader(writer.finish())
      let answered = try PlanningCodec.plan(from: &reader, after: read.input.current?.gpus ?? [])
      try reader.end()
      #expect(answered == plan, "seed \(seed)")
      (sent.workloads, sent.gpus) = (job.input.workloads, plan.gpus)
      (known.workloads, known.gpus) = (read.input.workloads, answered.gpus)
      RandomPlanning.edit(&job.input.workloads, RandomPlanning.job(&random).input.workloads, &random)
      RandomPlanning.edit(&plan.gpus, RandomPlanning.plan(&random).gpus, &random)
      job.input.current = Int.random(in: 0..<5, using: &random) == 0 ? nil : plan
    }
  }

  @Test func oneChangeOfManyIsFewBytes() throws {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    var input = RandomDemand.input(seed: 1, products: [product], models: 3, workloads: 500)
    let memory = PlanningMemory(workloads: input.workloads, gpus: [])
    input.workloads[70].rate += 1
    input.workloads.remove(at: 300)
    var writer = ByteWriter()
    PlanningCodec.write(
      PlanningJob(planner: OptimalPlanner(), input: input, patience: .seconds(1)), after: memory, to: &writer)
    let count = writer.finish().count
    #expect(count < 3_000, "\(count) bytes")
  }

  @Test("P1: a garbled difference is refused and costs no more than what is there", arguments: 0..<20)
  func garbledDifference(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var plan = RandomPlanning.plan(&random)
    let base = plan.gpus
    RandomPlanning.edit(&plan.gpus, RandomPlanning.plan(&random).gpus, &random)
    var writer = ByteWriter()
    PlanningCodec.write(plan, after: base, to: &writer)
    let whole = writer.finish()
    for _ in 0..<200 {
      var bytes = whole
      bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      guard var reader = try? ByteReader(bytes), let read = try? PlanningCodec.plan(from: &reader, after: base) else {
        continue
      }
      #expect(read.gpus.count <= base.count + bytes.count)
    }
  }

  @Test("P1: what the planning process leaves out of a workload changes no plan", arguments: 0..<8)
  func sameplan(seed: UInt64) throws {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    var input = RandomDemand.input(seed: seed, products: [product], models: 3, workloads: 20, stock: 8)
    for index in input.workloads.indices {
      input.workloads[index].labels = ["team": "t\(index % 2)", "other": "x\(index)"]
      if index % 3 == 0 { input.workloads[index].constraints.exclusive = "team" }
    }
    let job = PlanningJob(planner: OptimalPlanner(), input: input, patience: .seconds(3600))
    #expect(try PlanningDuty.perform(Self.round(job)) == PlanningDuty.perform(job), "seed \(seed)")
  }

  @Test("P1: what is known of capacities crosses to the planning process and back", arguments: 0..<10)
  func capacities(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let facts = (0..<Int.random(in: 0..<5, using: &random)).map { _ in
      CapacityFacts(
        key: .init(high: random.next(), low: random.next()),
        entries: (0..<Int.random(in: 0..<9, using: &random)).map { _ in random.next() })
    }
    let news = CapacityNews(facts: facts, trials: Int(seed) * 3)
    var writer = ByteWriter()
    PlanningCodec.write(news, to: &writer)
    var reader = try ByteReader(writer.finish())
    let read = try PlanningCodec.news(from: &reader)
    try reader.end()
    #expect(read == news)
  }

  @Test("P1: a garbled answer is refused and costs no more than its bytes", arguments: 0..<20)
  func garbled(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let plan = RandomPlanning.plan(&random)
    let whole = Self.bytes(of: plan)
    var reader = try ByteReader(whole)
    #expect(try PlanningCodec.plan(from: &reader) == plan)
    var refused = 0
    for _ in 0..<200 {
      var bytes = whole
      switch Int.random(in: 0..<3, using: &random) {
      case 0: bytes.removeLast(Int.random(in: 1...bytes.count, using: &random))
      case 1: bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      default:
        let at = Int.random(in: 0...max(0, bytes.count - 8), using: &random)
        bytes.replaceSubrange(
          at..<min(bytes.count, at + 8), with: (0..<8).map { _ in UInt8.random(in: 0...255, using: &random) })
      }
      do throws(ByteReader.Malformed) {
        var reader = try ByteReader(bytes)
        let read = try PlanningCodec.plan(from: &reader)
        try reader.end()
        // What still reads is judged next, and the judge must take it.
        _ = PlanChecker.violations(of: read)
      } catch {
        refused += 1
      }
    }
    #expect(refused > 20, "seed \(seed)")
  }

  /// A member that somebody adds must be sent, too.
  @Test func everyMemberIsKnownHere() throws {
    var random = SeededGenerator(seed: 1)
    let input = RandomPlanning.job(&random).input
    let product = ProductCatalogue.all[0]
    let members: [(value: Any, count: Int)] = [
      (input, 9), (input.options, 9), (Pool(product: product), 5), (Samples.fullWorkload, 16),
      (Constraints.none, 8), (product, 8), (product.profiles[0], 10), (Samples.profile(), 6),
      (Samples.profile().points[0], 8), (RandomPlanning.plan(&random), 11), (RandomPlanning.plan(&random).summary, 9),
      (RandomPlanning.segment(0, &random), 10), (PlannedGPU(pool: "p", product: product, segments: []), 5),
      (PartialService(workload: "w", demanded: 2, served: 1, code: .noStock, message: ""), 5),
      (Unserved(workload: "w", code: .noStock, message: ""), 3),
    ]
    for (value, count) in members {
      #expect(Mirror(reflecting: value).children.count == count, "\(type(of: value)) has another number of members")
    }
  }
}

/// Jobs and plans of every shape; they need not be legal.
enum RandomPlanning {
  /// Takes some away, puts some of `others` in, and has some stand elsewhere.
  static func edit<Value>(_ values: inout [Value], _ others: [Value], _ random: inout SeededGenerator) {
    for _ in 0..<Int.random(in: 0...3, using: &random) {
      let place = Int.random(in: 0...values.count, using: &random)
      let end = Int.random(in: place...values.count, using: &random)
      switch Int.random(in: 0...3, using: &random) {
      case 0: values.removeSubrange(place..<min(end, place + 2))
      case 1: values.insert(contentsOf: others, at: place)
      case 2: values.replaceSubrange(place..<end, with: others.prefix(end - place))
      default: values = Array(values[place...] + values[..<place])
      }
    }
  }

  static func job(_ random: inout SeededGenerator) -> PlanningJob {
    let products = (0..<3).compactMap { _ in ProductCatalogue.all.randomElement(using: &random) }
    var input = RandomDemand.input(
      seed: random.next(), products: products, models: 2, workloads: Int.random(in: 0...20, using: &random))
    for index in input.workloads.indices { shape(&input.workloads[index], &random) }
    for index in input.pools.indices where Bool.random(using: &random) {
      input.pools[index].count = 7
      input.pools[index].figures = ["hourlyCost": 1.5, "watts": .leastNonzeroMagnitude]
      input.pools[index].nodes = [PoolNode(name: "n", count: 3), PoolNode(name: "m", count: 0)]
    }
    input.options = PlanningOptions(
      admission: AdmissionRule.all.randomElement(using: &random) ?? .certified,
      maxProcesses: Int.random(in: 1...9, using: &random), allocationOptimization: Bool.random(using: &random),
      objective: PlanObjective.allCases.randomElement(using: &random) ?? .gpus,
      certificate: Bool.random(using: &random), margin: Double.random(in: 0...1, using: &random),
      headroom: Bool.random(using: &random), maxExtraGPUs: Int.random(in: 0...9, using: &random),
      moveCost: Double.random(in: 0...1, using: &random))
    input.traces = ["t": ArrivalRecording(name: "t", arrivals: [0, 1, 1, 7.5])].compactMapValues(\.self)
    if Bool.random(using: &random) { input.current = plan(&random) }
    input.profiles.insert(Samples.profile())
    if Bool.random(using: &random) {
      input.quotas = [GPUQuota(namespace: "default", gpus: Double.random(in: 0...9, using: &random))]
      input.shares = ["a", "default"].map {
        NamespaceShare(namespace: $0, weight: Double.random(in: 0.1...9, using: &random))
      }
    }
    var job = PlanningJob(
      planner: Planners.all.randomElement(using: &random) ?? Planners.default, input: input,
      patience: .milliseconds(Int.random(in: 0...10_000, using: &random)))
    job.isResort = Bool.random(using: &random)
    return job
  }

  private static func shape(_ workload: inout Workload, _ random: inout SeededGenerator) {
    let arrivals: [ArrivalProcess] = [.poisson, .deterministic, .gamma(cv2: 3.25), .trace(name: "t")]
    workload.arrivals = arrivals.randomElement(using: &random) ?? .poisson
    workload.priority = Int.random(in: Int.min...Int.max, using: &random)
    workload.allowsPartial = Bool.random(using: &random)
    workload.margin = Bool.random(using: &random) ? nil : Double.random(in: 0...1, using: &random)
    workload.moveCost = Bool.random(using: &random) ? nil : Double.random(in: 0...1, using: &random)
    workload.maxProcesses = [nil, 1, 7].randomElement(using: &random) ?? nil
    workload.labels = ["team": "a", "zone": "ünïcode ✓"]
    workload.launch = ServerCommand(command: "serve", args: Bool.random(using: &random) ? ["{processes}"] : [])
    guard Bool.random(using: &random) else { return }
    workload.constraints = Constraints(
      products: ["A100-80GB"], excludeProducts: ["L4", ""], pools: [], excludePools: ["p"],
      spread: [nil, Spread(over: .gpu, atLeast: 2), Spread(over: .node, atLeast: 64)].randomElement(using: &random)
        ?? nil,
      survive: [nil, Survival(over: .gpu, losses: 1), Survival(over: .node, losses: 63)].randomElement(using: &random)
        ?? nil,
      replicas: [nil, ReplicaLimits(least: 2), ReplicaLimits(most: 7)].randomElement(using: &random) ?? nil,
      exclusive: ["team", "absent", nil].randomElement(using: &random) ?? nil)
  }

  static func plan(_ random: inout SeededGenerator) -> Plan {
    let gpus = (0..<Int.random(in: 0...6, using: &random)).map { _ in
      let isBound = Bool.random(using: &random)
      return PlannedGPU(
        pool: "p\(Int.random(in: 0...2, using: &random))",
        product: ProductCatalogue.all.randomElement(using: &random) ?? ProductCatalogue.all[0],
        node: isBound ? "n" : nil, uuid: isBound ? "GPU-\(random.next())" : nil,
        segments: (0..<Int.random(in: 0...7, using: &random)).map { segment($0, &random) })
    }
    let maybe = { (random: inout SeededGenerator) in
      Bool.random(using: &random) ? nil : Double.random(in: 0...9, using: &random)
    }
    return Plan(
      planner: "optimal", admission: "certified", margin: maybe(&random),
      objective: Bool.random(using: &random) ? nil : PlanObjective.allCases.randomElement(using: &random),
      maxProcesses: Bool.random(using: &random) ? nil : Int.random(in: 1...64, using: &random),
      status: PlanStatus.allCases.randomElement(using: &random) ?? .optimal, gpus: gpus,
      unplaced: Unserved.Code.allCases.map { Unserved(workload: "u", code: $0, message: "line\nbreak") },
      partial: [PartialService(workload: "w", demanded: 2, served: 1, code: .noStock, message: "")],
      summary: PlanSummary(
        gpuCount: gpus.count, lowerBound: maybe(&random), gap: maybe(&random), allocatedSlices: 3,
        externalFragmentation: 0.5, internalSlack: 0.25, sums: ["cost": 1.25],
        profileSource: ProfileSource.allCases.randomElement(using: &random) ?? .measured,
        isCutShort: Bool.random(using: &random)),
      certificate: Bool.random(using: &random) ? certificate(&random) : nil)
  }

  static func segment(_ ordinal: Int, _ random: inout SeededGenerator) -> Segment {
    Segment(
      workload: ["a", "1e5", "", "resnet50.eu-west"].randomElement(using: &random) ?? "a", ordinal: ordinal,
      model: "org/Model:v1@x", profile: Int.random(in: 0...9, using: &random),
      start: Int.random(in: 0...20, using: &random), batch: Int.random(in: 1...256, using: &random),
      processes: Int.random(in: 1...5, using: &random), capacity: Double.random(in: 0...1e9, using: &random),
      load: .ulpOfOne, latencyMs: .greatestFiniteMagnitude)
  }

  private static func certificate(_ random: inout SeededGenerator) -> PlanCertificate {
    let product = ProductCatalogue.all.randomElement(using: &random) ?? ProductCatalogue.all[0]
    return PlanCertificate(
      kind: .exhaustive, objective: .cost, maxProcesses: 3,
      parts: [nil, Tenant(namespace: "vision", key: "team", value: "a")].map { tenant in
        PlanCertificate.Part(
          tenant: tenant, bound: 1.5,
          pools: [
            .init(
              pool: "p", product: product, weight: 1, stockPrice: 0.25,
              prices: [.init(profile: 0, value: 0.1), .init(profile: 3, value: 0.2)])
          ])
      })
  }
}
