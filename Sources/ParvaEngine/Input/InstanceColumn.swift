/// One instance kind of one pool: a column of every table of offers.
struct InstanceColumn: Sendable {
  /// Index into ``PlanningInput/pools``.
  var pool: Int
  /// Index into the kinds of the pool's ``CutTable``.
  var kind: Int
  /// Index into the product's profiles.
  var profile: Int
  var computeSlices: Int
}
