/// Whose turn it is where several namespaces share what there is of GPUs by weight.
///
/// A namespace's claims come in order of what they need, then of id; each claim's turn is by what its namespace would have with
/// it, for its weight. So whoever has got least for its weight is next, which is weighted max-min up to one claim. All of it is about
/// shares of GPUs, as if any part of one were as good as any other.
package struct FairTurns: Sendable {
  package struct Claim: Hashable, Sendable {
    package var id: String
    package var namespace: String
    /// Share of GPUs, from 0.
    package var need: Double
    /// Whether a part is better than nothing.
    package var isDivisible: Bool

    package init(id: String, namespace: String, need: Double, isDivisible: Bool) {
      (self.id, self.namespace, self.need, self.isDivisible) = (id, namespace, need, isDivisible)
    }
  }

  /// Indices of the claims, whose turn comes first.
  package let order: [Int]
  /// What each claim gets: whole or nothing where it is not divisible. A divisible one takes no more than its namespace's
  /// share, and of what the others then leave.
  package let granted: [Double]
  /// What each namespace has a right to: the weighted max-min of what there is.
  package let shares: [String: Double]
  /// By claim: what its namespace would have with it.
  package let reached: [Double]

  /// O(claims log claims).
  ///
  /// - Parameters:
  ///   - weights: above 0; of a namespace without one, 1.
  ///   - capacity: GPUs that there are, from 0.
  package init(_ claims: [Claim], weights: [String: Double], capacity: Double) {
    let namespaces = Set(claims.map(\.namespace)).sorted()
    let owned = Dictionary(grouping: claims.indices) { claims[$0].namespace }
    var reached = [Double](repeating: 0, count: claims.count)
    var wants: [Portion] = []
    for name in namespaces {
      let own = (owned[name] ?? []).sorted { (claims[$0].need, claims[$0].id) < (claims[$1].need, claims[$1].id) }
      var sum = 0.0
      for index in own {
        sum += claims[index].need
        reached[index] = sum
      }
      wants.append(Portion(weight: weights[name] ?? 1, has: 0, wants: sum))
    }
    let turn = claims.indices.map { reached[$0] / (weights[claims[$0].namespace] ?? 1) }
    let order = claims.indices.sorted { (turn[$0], claims[$0].id) < (turn[$1], claims[$1].id) }
    let shares = Dictionary(uniqueKeysWithValues: zip(namespaces, Self.split(capacity, wants)))
    var (granted, used, left) = ([Double](repeating: 0, count: claims.count), [String: Double](), capacity)
    for index in order {
      let (claim, has) = (claims[index], used[claims[index].namespace] ?? 0)
      var got = min(claim.need, left)
      if claim.isDivisible {
        got = max(0, min(got, (shares[claim.namespace] ?? 0) - has))
      } else if got < claim.need * (1 - Tolerance.relative) {
        got = 0
      }
      if got >= claim.need * (1 - Tolerance.relative) { got = claim.need }
      granted[index] = got
      used[claim.namespace] = has + got
      left = max(0, left - got)
    }
    // What is left fits for nobody whole.
    let parts = order.filter { claims[$0].isDivisible && granted[$0] < claims[$0].need }
    let lacks = Dictionary(grouping: parts) { claims[$0].namespace }
    let more = Self.split(
      left,
      namespaces.map { name in
        Portion(
          weight: weights[name] ?? 1, has: used[name] ?? 0,
          wants: (lacks[name] ?? []).reduce(0) { $0 + claims[$1].need - granted[$1] })
      })
    for (name, more) in zip(namespaces, more) {
      var rest = more
      for index in lacks[name] ?? [] {
        let got = min(rest, claims[index].need - granted[index])
        granted[index] += got
        rest -= got
      }
    }
    (self.order, self.granted, self.shares, self.reached) = (order, granted, shares, reached)
  }

  /// What somebody has and wants beside that.
  package struct Portion: Hashable, Sendable {
    package var weight: Double
    package var has: Double
    package var wants: Double

    package init(weight: Double, has: Double, wants: Double) {
      (self.weight, self.has, self.wants) = (weight, has, wants)
    }
  }

  /// Weighted max-min: what each gets beside what it has, so that nobody who wants more has more for its weight than another who
  /// was given something. O(n log n).
  package static func split(_ capacity: Double, _ portions: [Portion]) -> [Double] {
    guard portions.reduce(0, { $0 + $1.wants }) > capacity else { return portions.map(\.wants) }
    // Levels at which somebody begins to be given, and at which it has all.
    let events = portions.flatMap { portion in
      [
        (level: portion.has / portion.weight, slope: portion.weight),
        (level: (portion.has + portion.wants) / portion.weight, slope: -portion.weight),
      ]
    }.sorted { $0.level < $1.level }
    var (level, slope, left) = (0.0, 0.0, capacity)
    for event in events {
      let step = (event.level - level) * slope
      if step >= left { break }
      left -= max(0, step)
      (level, slope) = (event.level, slope + event.slope)
    }
    if slope > 0 { level += left / slope }
    return portions.map { min($0.wants, max(0, level * $0.weight - $0.has)) }
  }
}
