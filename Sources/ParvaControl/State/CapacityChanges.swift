package import ParvaEngine

/// What becomes of what is known of capacities.
package struct CapacityChanges: Hashable, Sendable {
  /// Whether all that was known before is forgotten, since some of it was wrong.
  package var forgetsOthers = false
  /// To add, or to take the place of what was known under the same key.
  package var facts: [CapacityFacts] = []

  /// Bytes of facts that are kept at most; those go first that were added longest ago.
  package static let mostBytes = 4 << 20

  package init(forgetsOthers: Bool = false, facts: [CapacityFacts] = []) {
    (self.forgetsOthers, self.facts) = (forgetsOthers, facts)
  }

  package var isEmpty: Bool { !forgetsOthers && facts.isEmpty }

  /// These changes and those after them as one. O(facts).
  package func followed(by later: CapacityChanges) -> CapacityChanges {
    guard !later.forgetsOthers else { return later }
    let renewed = Set(later.facts.map(\.key))
    return CapacityChanges(
      forgetsOthers: forgetsOthers, facts: facts.filter { !renewed.contains($0.key) } + later.facts)
  }
}
