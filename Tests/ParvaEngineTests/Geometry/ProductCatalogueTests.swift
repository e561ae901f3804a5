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

  @Test("variants with media or graphics engines are never planned")
  func plainOnly() throws {
    let product = try #require(ProductCatalogue.product(named: "RTX-PRO-6000-BSE-96GB"))
    #expect(product.plannedProfiles.map { product.profiles[$0].name } == ["1g.24gb", "2g.48gb", "4g.96gb"])
  }
}
