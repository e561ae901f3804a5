import ParvaTestSupport
import Testing

@testable import ParvaEngine

/// Profiles that a namespace has for its own workloads.
@Suite struct OwnProfilesTests {
  /// Workloads of two namespaces and of none, where namespaces have some models' profiles of their own; and the same without
  /// namespaces: each own profile is that of a model of another name, for which the namespace's workloads ask.
  private static func worlds(_ seed: UInt64, _ admission: AdmissionRule) -> (own: PlanningInput, renamed: PlanningInput)
  {
    var random = SeededGenerator(seed: seed)
    let products = ["A100-80GB", "A30-24GB"].prefix(Int(seed % 2) + 1).compactMap(ProductCatalogue.product(named:))
    var own = RandomDemand.input(
      seed: seed, products: products, models: 2, workloads: 9, options: PlanningOptions(admission: admission))
    var renamed = own
    let names = ["a", "b", nil]
    for index in own.workloads.indices {
      if let name = names.randomElement(using: &random) ?? nil {
        own.workloads[index].id = "\(name):\(own.workloads[index].id)"
      }
    }
    own.workloads.sort { $0.id < $1.id }
    renamed.workloads = own.workloads
    for name in ["a", "b", "default"] {
      for model in ["m0", "m1"] where Bool.random(using: &random) {
        for product in products {
          var profile = RandomDemand.profile(model: model, product, &random)
          profile.namespace = name
          own.profiles.insert(profile)
          profile.namespace = nil
          profile.model = "\(model)-of-\(name)"
          renamed.profiles.insert(profile)
        }
        for index in renamed.workloads.indices
        where renamed.workloads[index].namespace == name && renamed.workloads[index].model == model {
          renamed.workloads[index].model = "\(model)-of-\(name)"
        }
      }
    }
    return (own, renamed)
  }

  private static func renamed(_ plan: Plan, as input: PlanningInput) -> Plan {
    let models = Dictionary(uniqueKeysWithValues: input.workloads.map { ($0.id, $0.model) })
    var plan = plan
    for gpu in plan.gpus.indices {
      for segment in plan.gpus[gpu].segments.indices {
        let workload = plan.gpus[gpu].segments[segment].workload
        plan.gpus[gpu].segments[segment].model = models[workload] ?? ""
      }
    }
    return plan
  }

  @Test(
    "a namespace's own profile counts for its workloads alone, as if it were that of another model",
    arguments: Planners.all.indices, 0..<4)
  func ownProfilesAreOthers(planner: Int, round: UInt64) {
    let seed = TestSeed.of(offset: round)
    for admission in (planner, round) == (0, 0) ? [AdmissionRule.halfSLO, .certified] : [.halfSLO] {
      let (own, renamed) = Self.worlds(seed, admission)
      let plan = Planners.all[planner].plan(own, .serial)
      #expect(PlanChecker.violations(of: plan, against: own) == [], "seed \(seed)")
      #expect(PlanChecker.violations(of: Self.renamed(plan, as: renamed), against: renamed) == [], "seed \(seed)")
      let other = Planners.all[planner].plan(renamed, .serial)
      #expect(Self.renamed(other, as: own).unplaced.map(\.workload) == plan.unplaced.map(\.workload), "seed \(seed)")
      #expect(PlanChecker.violations(of: Self.renamed(other, as: own), against: own) == [], "seed \(seed)")
    }
  }

  @Test("one's own comes before everybody's, on the product that it is for")
  func order() throws {
    let a100 = try #require(ProductCatalogue.product(named: "A100-80GB"))
    var random = SeededGenerator(seed: TestSeed.of(offset: 0))
    var catalogue = ProfileCatalogue()
    var profile = RandomDemand.profile(model: "m", a100, &random)
    catalogue.insert(profile)
    #expect(catalogue.owner(model: "m", for: "a:web") == nil)
    profile.namespace = "a"
    catalogue.insert(profile)
    #expect(catalogue.all.map(\.namespace) == [nil, "a"])
    let product = profile.product
    #expect(catalogue.profile(model: "m", product: product, for: "a:web")?.namespace == "a")
    #expect(catalogue.profile(model: "m", product: product, for: "a:web/0")?.namespace == "a")
    for other in ["web", "b:web", "ab:web"] {
      #expect(catalogue.profile(model: "m", product: product, for: other)?.namespace == nil)
      #expect(catalogue.owner(model: "m", for: other) == nil)
    }
    #expect(catalogue.owner(model: "m", for: "a:web") == "a" && catalogue.owner(model: "n", for: "a:web") == nil)
    #expect(catalogue.profile(model: "m", product: "H100-80GB", for: "a:web") == nil)
  }
}
