import ParvaEngine
import ParvaTestSupport
import Testing

/// What a capacity cache tells others and takes from them.
@Suite struct CapacityFactsTests {
  private func input(_ seed: UInt64, _ cache: CapacityCache) throws -> PlanningInput {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    var input = RandomDemand.input(
      seed: seed, products: [product], models: 2, workloads: 6, options: PlanningOptions(admission: .certified))
    input.capacities = cache
    return input
  }

  @Test("a plan is the same with what others found out, and nothing is found out anew")
  func same() throws {
    let first = CapacityCache()
    let plan = OptimalPlanner().plan(try input(1, first))
    let facts = first.facts()
    #expect(!facts.isEmpty)
    let second = CapacityCache(knowing: facts)
    #expect(Set(second.facts()) == Set(facts))
    #expect(OptimalPlanner().plan(try input(1, second)) == plan)
    #expect(Set(second.facts()) == Set(facts))
  }

  @Test("news are what was found out since the last news, and nothing where everything was known")
  func news() throws {
    let cache = CapacityCache()
    _ = OptimalPlanner().plan(try input(1, cache))
    let first = cache.news()
    #expect(first.facts == cache.facts() && first.trials > 0)
    #expect(cache.news() == CapacityNews())
    _ = OptimalPlanner().plan(try input(2, cache))
    let second = cache.news()
    #expect(!second.facts.isEmpty && Set(second.facts).isDisjoint(with: first.facts))
    let told = CapacityCache(knowing: first.facts + second.facts)
    for seed: UInt64 in 1...2 { _ = OptimalPlanner().plan(try input(seed, told)) }
    #expect(told.news() == CapacityNews())
  }

  @Test("facts about other profiles change nothing, and are kept")
  func foreign() throws {
    let other = CapacityCache()
    _ = OptimalPlanner().plan(try input(2, other))
    let cache = CapacityCache(knowing: other.facts())
    let plan = OptimalPlanner().plan(try input(1, cache))
    #expect(plan == OptimalPlanner().plan(try input(1, CapacityCache())))
    #expect(Set(cache.facts()).isSuperset(of: other.facts()))
  }

  @Test("entries that are not of the form do no harm", arguments: 0..<6)
  func senseless(_ seed: Int) throws {
    var random = SeededGenerator(seed: UInt64(seed))
    let first = CapacityCache()
    _ = OptimalPlanner().plan(try input(1, first))
    let facts = first.facts().map { fact in
      CapacityFacts(key: fact.key, entries: (0..<50).map { _ in random.next() })
    }
    // What comes of it is for the checker to judge; it must only come to an end.
    let input = try input(1, CapacityCache(knowing: facts))
    _ = PlanChecker.violations(of: OptimalPlanner().plan(input), against: input)
  }
}
