/// What takes longest to read of what a store holds, where it is in memory already.
package struct KnownContents: Sendable {
  package var demand: Demand
  /// The newest plan.
  package var plan: StoredPlan?
  /// In order of name.
  package var nodes: [NodeRecord]
}
