import ParvaEngine
import ParvaTestSupport
import Testing

@Suite struct PlacementTests {
  @Test("an instance has room where units, slices and the limit of its profile are left", arguments: 0..<20)
  func room(_ seed: Int) {
    var random = SeededGenerator(seed: UInt64(seed))
    var limited = 0
    for product in ProductCatalogue.all {
      func units(_ placement: Placement) -> Set<Int> {
        Set(placement.start..<placement.start + product.profiles[placement.profile].placementSize)
      }
      var there: [Placement] = []
      // Media engines are few: their profiles are among those whose limit is less than their starts.
      for _ in 0..<60 {
        let profile = Int.random(in: product.profiles.indices, using: &random)
        guard let start = product.profiles[profile].starts.randomElement(using: &random) else { continue }
        let next = Placement(profile: profile, start: start)
        let all = there + [next]
        let hasUnits = all.map(units).reduce(0) { $0 + $1.count } == all.map(units).reduce(Set()) { $0.union($1) }.count
        let slices = all.reduce(0) { $0 + product.profiles[$1.profile].computeSlices }
        let hasLimit = all.count { $0.profile == profile } <= product.profiles[profile].maxInstances
        let wanted = hasUnits && slices <= product.computeSlices && hasLimit
        #expect(product.hasRoom(for: next, beside: there) == wanted, "\(product.name): \(next) beside \(there)")
        if hasUnits && !hasLimit { limited += 1 }
        if wanted { there.append(next) }
      }
    }
    #expect(limited > 0)
  }
}
