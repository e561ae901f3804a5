import ParvaEngine
import Testing

@Suite struct ProductCatalogueTests {
  @Test("every product's facts are consistent", arguments: ProductCatalogue.all.map(\.name))
  func consistent(_ name: String) throws {
    let product = try #require(ProductCatalogue.product(named: name))
    #expect((1...64).contains(product.axisLength))
    #expect(!product.plannedProfiles.isEmpty)
    #expect(Set(product.profiles.map(\.driverProfileID)).count == product.profiles.count)
    #expect(Set(product.profiles.map(\.name)).count == product.profiles.count)
    for profile in product.profiles {
      #expect(profile.starts == profile.starts.sorted())
      #expect(profile.starts.allSatisfy { $0 >= 0 && $0 + profile.placementSize <= product.axisLength })
      #expect((1...product.computeSlices).contains(profile.computeSlices))
      #expect(profile.maxInstances >= 1)
    }
    #expect(!product.sources.isEmpty)
    for source in product.sources { #expect(ProductCatalogue.sources[source] != nil, "\(source)") }
  }

  @Test("product names are unique and found without regard to case")
  func names() {
    #expect(Set(ProductCatalogue.all.map(\.name)).count == ProductCatalogue.all.count)
    #expect(ProductCatalogue.product(named: "a100-80gb")?.name == "A100-80GB")
    #expect(ProductCatalogue.product(named: "A100-64GB") == nil, "its placements are not known")
  }

  @Test("products without MIG are one place, and are mixed with others by price")
  func wholes() throws {
    let whole = try #require(ProductCatalogue.product(named: "L40S-48GB"))
    let cut = try #require(ProductCatalogue.product(named: "A30-24GB"))
    #expect(!whole.hasMIG && cut.hasMIG)
    #expect(CutTable(whole).maximalCuts.count == 1)
    func profile(_ product: GPUProduct, _ rate: Double) -> ModelProfile {
      ModelProfile(
        model: "m", product: product.name, source: .measured,
        points: product.plannedProfiles.map {
          ProfilePoint(
            profile: $0, batch: 1, processes: 3, throughput: rate * Double(product.profiles[$0].computeSlices),
            latencyMs: 10)
        })
    }
    var input = PlanningInput(
      workloads: [Workload(id: "w", model: "m", rate: 100, sloLatencyMs: 100)],
      pools: [
        Pool(name: "whole", product: whole, count: 2, figures: ["hourlyCost": 1]),
        Pool(name: "cut", product: cut, figures: ["hourlyCost": 2]),
      ], profiles: ProfileCatalogue([profile(whole, 40), profile(cut, 15)]),
      options: PlanningOptions(admission: .halfSLO))
    input.options.objective = .cost
    input.options.certificate = true
    let plan = OptimalPlanner().plan(input)
    #expect(PlanChecker.violations(of: plan, against: input) == [])
    // A whole that carries 40 and a GPU whose slices carry 60: two wholes and another cost more.
    #expect(plan.status == .optimal && plan.summary.sums["cost"] == 3)
    #expect(plan.gpus.filter { $0.pool == "whole" }.flatMap(\.segments).map(\.processes) == [3])
    for planner in Planners.all {
      #expect(PlanChecker.violations(of: planner.plan(input), against: input) == [], "\(planner.name)")
    }
  }

  @Test("variants with media or graphics engines are never planned")
  func plainOnly() throws {
    let product = try #require(ProductCatalogue.product(named: "RTX-PRO-6000-BSE-96GB"))
    #expect(product.plannedProfiles.map { product.profiles[$0].name } == ["1g.24gb", "2g.48gb", "4g.96gb"])
  }
}
