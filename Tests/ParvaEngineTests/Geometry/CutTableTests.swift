import ParvaEngine
import Testing

@Suite struct CutTableTests {
  struct Documented: Sendable, CustomTestStringConvertible {
    var product: String
    var profiles: [String]
    var count: Int
    var testDescription: String { "\(product) with \(profiles.joined(separator: ","))" }
  }

  @Test(
    "finds as many maximal placements as NVIDIA documents",
    arguments: [
      Documented(product: "A100-80GB", profiles: ["1g.10gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb"], count: 19),
      Documented(product: "A30-24GB", profiles: ["1g.6gb", "2g.12gb", "4g.24gb"], count: 5),
    ])
  func documentedCounts(_ fact: Documented) throws {
    let product = try #require(ProductCatalogue.product(named: fact.product))
    let kinds = try fact.profiles.map { try #require(product.profileIndex(named: $0)) }
    let table = CutTable(product, kinds: kinds)
    #expect(table.maximalPlacements.count == fact.count)
    #expect(Set(table.maximalPlacements).count == fact.count)
  }

  /// Tries every subset of placements; shares nothing with the walk along the axis.
  static func bruteForceMaximal(_ product: GPUProduct, _ kinds: [Int]) -> Set<Set<Placement>> {
    let all = kinds.flatMap { kind in product.profiles[kind].starts.map { Placement(profile: kind, start: $0) } }
    func isLegal(_ set: [Placement]) -> Bool {
      var units: Set<Int> = []
      var slices = 0
      for placement in set {
        let profile = product.profiles[placement.profile]
        slices += profile.computeSlices
        for unit in placement.start..<(placement.start + profile.placementSize) {
          if !units.insert(unit).inserted { return false }
        }
      }
      return slices <= product.computeSlices
        && Dictionary(grouping: set, by: \.profile).allSatisfy { $1.count <= product.profiles[$0].maxInstances }
    }
    var legal: Set<Set<Placement>> = []
    func extend(_ set: [Placement], from next: Int) {
      legal.insert(Set(set))
      for index in next..<all.count where isLegal(set + [all[index]]) { extend(set + [all[index]], from: index + 1) }
    }
    extend([], from: 0)
    return legal.filter { set in
      !all.contains { !set.contains($0) && legal.contains(set.union([$0])) }
    }
  }

  @Test("agrees with trying every subset of placements", arguments: ProductCatalogue.all.map(\.name))
  func matchesBruteForce(_ name: String) throws {
    let product = try #require(ProductCatalogue.product(named: name))
    let table = CutTable(product)
    let expected = CutTableTests.bruteForceMaximal(product, table.kinds)
    #expect(Set(table.maximalPlacements.map(Set.init)) == expected)
    let vectors = Set(expected.map { set in table.kinds.map { kind in set.count { $0.profile == kind } } })
    let undominated = vectors.filter { a in
      !vectors.contains { b in a != b && zip(a, b).allSatisfy { $0 <= $1 } }
    }
    #expect(Set(table.maximalCuts.map(\.counts)) == undominated)
    for cut in table.maximalCuts {
      #expect(table.kinds.map { kind in cut.placements.count { $0.profile == kind } } == cut.counts)
    }
  }

  @Test("the five published sizes of a 7-slice part give 12 size multisets")
  func publishedMultisets() throws {
    let product = try #require(ProductCatalogue.product(named: "A100-80GB"))
    let kinds = product.plannedProfiles.filter { product.profiles[$0].name != "1g.20gb" }
    #expect(CutTable(product, kinds: kinds).maximalCuts.count == 12)
  }
}
