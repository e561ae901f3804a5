/// How many instances of each kind one GPU can hold together, with a way to place them.
public struct Cut: Hashable, Sendable {
  /// Instances per kind, in the order of ``CutTable/kinds``.
  public var counts: [Int]
  /// Places for them, by start.
  public var placements: [Placement]
}

/// All the ways to cut one product, worked out from its placements alone.
///
/// A *kind* is a plain profile; kinds are ordered by compute slices, then placement size. The tables are small: a
/// 7-slice part has 6 kinds and 30 to 60 cuts, so they are enumerated once and then only read.
public struct CutTable: Sendable {
  public let product: GPUProduct
  /// Indices into ``GPUProduct/profiles``, one per kind.
  public let kinds: [Int]
  /// The inclusion-maximal sets of placements: nothing can be added to any of them.
  public let maximalPlacements: [[Placement]]
  /// The count vectors of maximal sets that no other cut dominates in every kind.
  public let maximalCuts: [Cut]

  /// Enumerates the cuts of `product`, restricted to `kinds` where given. Exponential in the number of placements on
  /// the axis, which is at most a few tens.
  public init(_ product: GPUProduct, kinds: [Int]? = nil) {
    self.product = product
    self.kinds = kinds ?? product.plannedProfiles
    maximalPlacements = CutTable.enumerateMaximal(product, self.kinds)
    maximalCuts = CutTable.undominated(maximalPlacements, self.kinds)
  }

  /// Walks the axis from unit 0: at each unit either one instance starts there or the unit stays free, and a finished
  /// set counts when no placement fits into its free units any more.
  private static func enumerateMaximal(_ product: GPUProduct, _ kinds: [Int]) -> [[Placement]] {
    var starting = [[Int]](repeating: [], count: product.axisLength)
    for kind in kinds {
      for start in product.profiles[kind].starts { starting[start].append(kind) }
    }
    var found: [[Placement]] = []
    var chosen: [Placement] = []
    func walk(_ unit: Int) {
      guard unit < product.axisLength else {
        if isMaximal(chosen, product, kinds) { found.append(chosen) }
        return
      }
      for kind in starting[unit] where product.hasRoom(for: Placement(profile: kind, start: unit), beside: chosen) {
        chosen.append(Placement(profile: kind, start: unit))
        walk(unit + product.profiles[kind].placementSize)
        chosen.removeLast()
      }
      walk(unit + 1)
    }
    walk(0)
    return found
  }

  private static func isMaximal(_ chosen: [Placement], _ product: GPUProduct, _ kinds: [Int]) -> Bool {
    !kinds.contains { kind in
      product.profiles[kind].starts.contains {
        product.hasRoom(for: Placement(profile: kind, start: $0), beside: chosen)
      }
    }
  }

  private static func undominated(_ sets: [[Placement]], _ kinds: [Int]) -> [Cut] {
    var byCounts: [[Int]: [Placement]] = [:]
    for set in sets {
      let counts = kinds.map { kind in set.count { $0.profile == kind } }
      if byCounts[counts] == nil { byCounts[counts] = set }
    }
    let vectors = byCounts.keys.filter { a in
      !byCounts.keys.contains { b in a != b && zip(a, b).allSatisfy { $0 <= $1 } }
    }
    return vectors.sorted { $0.lexicographicallyPrecedes($1) }.map { Cut(counts: $0, placements: byCounts[$0] ?? []) }
  }
}
