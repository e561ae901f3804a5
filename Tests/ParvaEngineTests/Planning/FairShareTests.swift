import ParvaTestSupport
import Testing

@testable import ParvaEngine

@Suite struct FairShareTests {
  private static let names = ["a", "b", "c", "default"]

  @Test(
    "what is split is split by weighted max-min: who wants more has no more for its weight than who was given anything",
    arguments: 0..<200)
  func split(round: UInt64) {
    let seed = TestSeed.of(offset: round)
    var random = SeededGenerator(seed: seed)
    let portions = (0..<Int.random(in: 1...8, using: &random)).map { _ in
      FairTurns.Portion(
        weight: [0.5, 1, 1, 2, 7].randomElement(using: &random) ?? 1,
        has: Bool.random(using: &random) ? 0 : Double.random(in: 0...5, using: &random),
        wants: Bool.random(using: &random) ? 0 : Double.random(in: 0...9, using: &random))
    }
    let capacity = Double.random(in: 0...30, using: &random)
    let given = FairTurns.split(capacity, portions)
    let wanted = portions.reduce(0) { $0 + $1.wants }
    #expect(abs(given.reduce(0, +) - min(capacity, wanted)) < 1e-9, "seed \(seed)")
    for (mine, poor) in zip(given, portions) {
      #expect(mine >= 0 && mine <= poor.wants, "seed \(seed)")
      guard mine < poor.wants - 1e-9 else { continue }
      for (theirs, rich) in zip(given, portions) where theirs > 1e-9 {
        #expect((poor.has + mine) / poor.weight >= (rich.has + theirs) / rich.weight - 1e-9, "seed \(seed)")
      }
    }
  }

  private static func claims(_ random: inout SeededGenerator, divisible: Bool) -> [FairTurns.Claim] {
    (0..<Int.random(in: 1...30, using: &random)).map { index in
      FairTurns.Claim(
        id: "w\(index)", namespace: names.randomElement(using: &random) ?? "a",
        need: Double(Int.random(in: 1...21, using: &random)) / 7,
        isDivisible: divisible && Bool.random(using: &random))
    }
  }

  @Test(
    "whole claims are granted in turn, each unless it no longer fits; divisible ones leave nothing that they could use",
    arguments: 0..<200)
  func turns(round: UInt64) {
    let seed = TestSeed.of(offset: round)
    var random = SeededGenerator(seed: seed)
    let claims = Self.claims(&random, divisible: round % 2 == 1)
    let weights = ["a": 1.0, "b": 2.0, "c": 0.5]
    let capacity = Double.random(in: 0...30, using: &random)
    let turns = FairTurns(claims, weights: weights, capacity: capacity)
    #expect(turns.order.sorted() == Array(claims.indices), "seed \(seed)")
    let sum = turns.granted.reduce(0, +)
    #expect(sum <= capacity + 1e-6 && turns.shares.values.reduce(0, +) <= capacity + 1e-6, "seed \(seed)")
    for (claim, got) in zip(claims, turns.granted) {
      #expect(got >= 0 && got <= claim.need + 1e-9, "seed \(seed)")
      #expect(claim.isDivisible || got == 0 || got == claim.need, "seed \(seed)")
      if claim.isDivisible, got < claim.need - 1e-6 { #expect(sum > capacity - 1e-6, "seed \(seed)") }
    }
    guard !claims.contains(where: \.isDivisible) else { return }
    for (place, index) in turns.order.enumerated() where turns.granted[index] == 0 {
      let before = turns.order[..<place].reduce(0) { $0 + turns.granted[$1] }
      #expect(before + claims[index].need > capacity - 1e-6, "seed \(seed): \(claims[index]) would have fitted")
    }
  }

  /// A model that takes a whole GPU for every 100 requests/s.
  private static func input(_ counts: [(String, Int, Double)], stock: Int) throws
    -> PlanningInput
  {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    let whole = try #require(
      product.profiles.indices.first { product.profiles[$0].computeSlices == product.computeSlices })
    var catalogue = ProfileCatalogue()
    catalogue.insert(
      ModelProfile(
        model: "m", product: product.name, source: .measured,
        points: [ProfilePoint(profile: whole, batch: 1, processes: 1, throughput: 100, latencyMs: 1)]))
    let workloads = counts.flatMap { name, count, rate in
      (0..<count).map { index in
        Workload(
          id: (name == "default" ? "" : name + ":") + "w\(index)", model: "m", rate: rate, sloLatencyMs: 100)
      }
    }
    return PlanningInput(
      workloads: workloads, pools: [Pool(product: product, count: stock)], profiles: catalogue,
      options: PlanningOptions(admission: .halfSLO))
  }

  private static func served(_ plan: Plan) -> [String: Int] {
    Dictionary(grouping: plan.gpus.flatMap(\.segments)) { segment in
      segment.workload.contains(":") ? String(segment.workload.prefix { $0 != ":" }) : "default"
    }.mapValues(\.count)
  }

  @Test(
    "of workloads that take a GPU each, no namespace has more for its weight than another would with one more",
    arguments: Planners.all.indices)
  func wholeGPUs(planner: Int) throws {
    var random = SeededGenerator(seed: TestSeed.of(offset: UInt64(planner)))
    for _ in 0..<8 {
      let counts = Self.names.map { ($0, Int.random(in: 1...6, using: &random), 90.0) }
      let stock = Int.random(in: 1...10, using: &random)
      var input = try Self.input(counts, stock: stock)
      let weights = ["a": 3.0, "b": 1.0, "c": 1.0, "default": 2.0]
      input.shares = Self.names.map { NamespaceShare(namespace: $0, weight: weights[$0] ?? 1) }
      let share = FairShare(input, .serial)
      var shared = input
      shared.workloads = share.workloads
      let plan = share.joined(to: Planners.all[planner].plan(shared, .serial))
      let served = Self.served(plan)
      let all = input.workloads.count
      #expect(served.values.reduce(0, +) == min(stock, all), "\(Planners.all[planner].name)")
      for (poor, count, _) in counts where served[poor] ?? 0 < count {
        for (rich, _, _) in counts {
          let next = (Double(served[poor] ?? 0) + 1) / (weights[poor] ?? 1)
          #expect(next >= Double(served[rich] ?? 0) / (weights[rich] ?? 1) - 1e-9, "\(counts) \(served)")
        }
      }
      for refusal in plan.unplaced {
        #expect(refusal.code == .noStock && refusal.message.contains("has a right to"), "\(refusal)")
      }
      // What was added goes again, and only that.
      let plain = FairShare.plain(plan)
      #expect(plain.unplaced.allSatisfy { !$0.message.contains("has a right to") })
      #expect(share.joined(to: plain) == plan)
    }
  }

  @Test("higher priorities come first whoever has them, and alone nobody shares")
  func priorities() throws {
    var input = try Self.input([("a", 3, 90), ("b", 3, 90)], stock: 4)
    input.shares = ["a", "b"].map { NamespaceShare(namespace: $0, weight: 1) }
    for index in input.workloads.indices where input.workloads[index].namespace == "b" {
      input.workloads[index].priority = 5
    }
    #expect(FairShare(input, .serial).workloads == input.workloads)
    input.workloads[0].priority = 5
    let share = FairShare(input, .serial)
    let ranks = Dictionary(uniqueKeysWithValues: share.workloads.map { ($0.id, $0.priority) })
    let high = input.workloads.filter { $0.priority == 5 }.compactMap { ranks[$0.id] }
    let low = input.workloads.filter { $0.priority == 0 }.compactMap { ranks[$0.id] }
    #expect(high.min() ?? 0 > low.max() ?? 0 && Set(high).count == high.count && Set(low).count == 1)
    input.shares = [NamespaceShare(namespace: "a", weight: 1)]
    #expect(FairShare(input, .serial).workloads == input.workloads)
    input.shares.append(NamespaceShare(namespace: "b", weight: 1))
    input.pools[0].count = nil
    #expect(FairShare(input, .serial).workloads == input.workloads)
  }

  @Test("of two that take any part, each is given its share, and what the other leaves")
  func parts() throws {
    var input = try Self.input([("a", 1, 800), ("b", 1, 800)], stock: 6)
    for index in input.workloads.indices { input.workloads[index].allowsPartial = true }
    input.shares = [NamespaceShare(namespace: "a", weight: 2), NamespaceShare(namespace: "b", weight: 1)]
    func planned() -> Plan {
      let share = FairShare(input, .serial)
      var shared = input
      shared.workloads = share.workloads
      return share.joined(to: OptimalPlanner().plan(shared, .serial))
    }
    var plan = planned()
    #expect(Self.served(plan) == ["a": 4, "b": 2])
    #expect(plan.partial.map(\.workload) == ["a:w0", "b:w0"] && plan.partial.map(\.demanded) == [800, 800])
    #expect(plan.unplaced.isEmpty && plan.status == .feasible)
    #expect(PlanChecker.violations(of: plan, against: input).isEmpty)
    input.workloads[0].rate = 90
    plan = planned()
    #expect(Self.served(plan) == ["a": 1, "b": 5])
  }
}
