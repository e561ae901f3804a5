import ParvaEngine
import ParvaTestSupport
import Synchronization
import Testing

/// What planner `optimal` returns when its time is short: always a legal plan, with the gap that is left.
@Suite struct DeadlineTests {
  /// Says stop from the given question on.
  private func patience(_ checks: Int) -> PlanningContext {
    let asked = PatienceCounter()
    return PlanningContext(
      forEach: { count, body in for index in 0..<count { body(index) } }, shouldStop: { asked.next() > checks })
  }

  @Test(
    "every plan is legal and no better than what is proven, however early it must end", arguments: [0, 1, 2, 5, 20])
  func stops(_ checks: Int) throws {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    for seed in UInt64(0)..<12 {
      let input = RandomDemand.input(seed: seed, products: [product], models: 6, workloads: 5 + 25 * Int(seed))
      let plan = OptimalPlanner().plan(input, patience(checks))
      let best = OptimalPlanner().plan(input)
      #expect(PlanChecker.violations(of: plan, against: input) == [], "seed \(seed)")
      #expect(plan.unplaced == best.unplaced, "seed \(seed)")
      #expect(plan.summary.gpuCount >= best.summary.gpuCount, "seed \(seed)")
      let (bound, gap) = (try #require(plan.summary.lowerBound), try #require(plan.summary.gap))
      #expect(bound <= Double(best.summary.gpuCount) + 1e-6, "seed \(seed)")
      #expect(gap >= 0 && (plan.status == .optimal) == (gap == 0 && plan.unplaced.isEmpty), "seed \(seed)")
    }
  }

  @Test("a plan in force, scarcity and two pools are no excuse", arguments: [0, 1, 3, 10])
  func stopsAmidst(_ checks: Int) throws {
    let products = try ["A100-80GB", "A30-24GB"].map { try #require(ProductCatalogue.product(named: $0)) }
    for seed in UInt64(0)..<8 {
      var input = RandomDemand.input(
        seed: seed, products: products, models: 5, workloads: 40, stock: seed % 2 == 0 ? 3 : nil)
      let current = OptimalPlanner().plan(input)
      for index in input.workloads.indices { input.workloads[index].rate *= index % 3 == 0 ? 1.2 : 0.95 }
      input.current = current
      let plan = OptimalPlanner().plan(input, patience(checks))
      #expect(PlanChecker.violations(of: plan, against: input) == [], "seed \(seed)")
    }
  }

  /// Kinds of demand that go different ways through the planner.
  enum Kind: CaseIterable, Sendable {
    case onePool, twoPools, scarce, changed, changedAtAPrice, tenants, spread

    func input(_ seed: UInt64) throws -> PlanningInput {
      let names = self == .onePool || self == .spread ? ["A100-80GB"] : ["A100-80GB", "A30-24GB"]
      let products = try names.map { try #require(ProductCatalogue.product(named: $0)) }
      var input = RandomDemand.input(
        seed: seed, products: products, models: 4, workloads: 9, stock: self == .scarce ? 2 : nil)
      for index in input.workloads.indices {
        input.workloads[index].rate = min(input.workloads[index].rate, 300)
        switch self {
        case .scarce: input.workloads[index].allowsPartial = index % 3 == 0
        case .tenants where index % 2 == 0:
          input.workloads[index].labels = ["team": "t\(index % 4)"]
          input.workloads[index].constraints.exclusive = "team"
        case .spread where index % 3 == 0:
          input.workloads[index].constraints.spread = Spread(over: .gpu, atLeast: 2)
        default: break
        }
      }
      guard self == .changed || self == .changedAtAPrice else { return input }
      input.current = OptimalPlanner().plan(input)
      for index in input.workloads.indices { input.workloads[index].rate *= index % 3 == 0 ? 1.4 : 0.8 }
      if self == .changedAtAPrice { input.options.moveCost = 0.05 }
      return input
    }
  }

  /// So that no search takes long.
  private static let mostQuestions = 150

  /// All questions where they are few; else those at the beginning, where plans still come about, and ever fewer later on.
  private func ends(of count: Int) -> [Int] {
    var ends = Array(0...min(count, 60))
    while let last = ends.last, last < count { ends.append(min(count, last + max(1, last / 12))) }
    return ends
  }

  @Test(
    "a clock that ends at any question leaves a legal plan, marked; an unmarked one is that of all the time there is",
    arguments: Kind.allCases)
  func endsAnywhere(_ kind: Kind) throws {
    for number in UInt64(0)..<2 {
      let seed = TestSeed.of(offset: number)
      let input = try kind.input(seed)
      let questions = PatienceCounter()
      let whole = OptimalPlanner().plan(
        input,
        PlanningContext(
          forEach: { count, body in for index in 0..<count { body(index) } },
          shouldStop: { questions.next() > Self.mostQuestions }))
      let asked = questions.asked
      #expect(whole.summary.isCutShort == (asked > Self.mostQuestions), "seed \(seed)")
      #expect(PlanChecker.violations(of: whole, against: input) == [], "seed \(seed)")
      for end in ends(of: min(asked, Self.mostQuestions)) {
        let plan = OptimalPlanner().plan(input, patience(end))
        #expect(PlanChecker.violations(of: plan, against: input) == [], "seed \(seed), question \(end)")
        // The first question begins the clock, and nothing is cut by it.
        #expect(plan.summary.isCutShort == (end < asked && asked > 1), "seed \(seed), question \(end) of \(asked)")
        if !plan.summary.isCutShort { #expect(plan == whole, "seed \(seed), question \(end)") }
        if whole.unplaced.isEmpty, kind != .scarce { #expect(plan.unplaced.isEmpty, "seed \(seed), question \(end)") }
      }
    }
  }

  @Test("of many workloads for too few GPUs those are served who find room without a search")
  func manyForFew() throws {
    // So many that the simple rules ask too, with too little for all.
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    let input = RandomDemand.input(
      seed: 3, products: [product, product], models: 3, workloads: 5000, stock: 300)
    for checks in [0, 3, 12] {
      let plan = OptimalPlanner().plan(input, patience(checks))
      #expect(PlanChecker.violations(of: plan, against: input) == [], "\(checks) questions")
      #expect(plan.summary.isCutShort, "\(checks) questions")
      // What finds room without a search is served.
      #expect(plan.gpus.count > 550 && plan.unplaced.count < 5000, "\(checks) questions")
    }
  }
}

private final class PatienceCounter: Sendable {
  private let count = Atomic(0)
  var asked: Int { count.load(ordering: .relaxed) }
  func next() -> Int { count.wrappingAdd(1, ordering: .relaxed).newValue }
}
