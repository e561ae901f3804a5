import ParvaEngine
import ParvaWire

/// Turns a placement as it came into the engine's, or says what is wrong with it.
struct PlacementCheck {
  /// Makes the refusal for a path below the workload's own place.
  let place: (InputError.Code, String, [String], String?) -> InputError

  func rules(_ spec: PlacementSpec?, labels: [String: String], _ refusals: inout Refusals) -> Constraints {
    guard let spec else { return .none }
    let rules = Constraints(
      products: products(spec.products, "products", &refusals),
      excludeProducts: products(spec.excludeProducts, "excludeProducts", &refusals),
      pools: pools(spec.pools, "pools", &refusals),
      excludePools: pools(spec.excludePools, "excludePools", &refusals), spread: spread(spec.spread, &refusals),
      exclusive: spec.exclusive)
    for (wanted, excluded, key) in [
      (rules.products, rules.excludeProducts, "excludeProducts"), (rules.pools, rules.excludePools, "excludePools"),
    ] {
      if let both = wanted.first(where: excluded.contains) {
        refusals.add(
          place(.contradiction, "\"\(InputError.shortened(both))\" is wanted and excluded", ["placement", key], both))
      }
    }
    if let key = spec.exclusive, labels[key] == nil {
      refusals.add(
        place(
          .contradiction, "exclusive names the label that tells tenants apart, so the workload must have that label",
          ["placement", "exclusive"], key))
    }
    return rules
  }

  private func products(_ names: [String]?, _ key: String, _ refusals: inout Refusals) -> [String] {
    for (index, name) in (names ?? []).enumerated() where ProductCatalogue.product(named: name) == nil {
      let error = InputError.unknownProduct(name)
      refusals.add(place(error.code, error.message, ["placement", key, String(index)], name))
    }
    return list(names, key, &refusals)
  }

  private func pools(_ names: [String]?, _ key: String, _ refusals: inout Refusals) -> [String] {
    for (index, name) in (names ?? []).enumerated() where !Names.isPool(name) {
      refusals.add(
        place(
          .invalidName, "a pool's name is \(Names.poolRule)", ["placement", key, String(index)], name))
    }
    return list(names, key, &refusals)
  }

  /// An empty list would mean either nothing or anything, so it is refused.
  private func list(_ names: [String]?, _ key: String, _ refusals: inout Refusals) -> [String] {
    guard let names else { return [] }
    if names.isEmpty {
      refusals.add(place(.empty, "\(key) is empty; leave it out to allow any", ["placement", key], nil))
    }
    if names.count > InputLimits.placementNames {
      refusals.add(
        place(
          .outOfRange, "at most \(InputLimits.placementNames) names, not \(names.count)", ["placement", key],
          String(names.count)))
    }
    return names
  }

  private func spread(_ spec: PlacementSpec.Spread?, _ refusals: inout Refusals) -> Spread? {
    guard let spec else { return nil }
    if let message = RangeCheck.message("atLeast", spec.atLeast, InputLimits.spread) {
      refusals.add(place(.outOfRange, message, ["placement", "spread", "atLeast"], String(spec.atLeast)))
    }
    guard let over = Spread.Domain(rawValue: spec.over) else {
      refusals.add(place(.outOfRange, "over must be gpu or node", ["placement", "spread", "over"], spec.over))
      return nil
    }
    return Spread(over: over, atLeast: spec.atLeast)
  }
}
