import ParvaEngine
import ParvaWire

/// Turns a placement as it came into the engine's, or says what is wrong with it.
struct PlacementCheck {
  /// Makes the refusal for a path below the workload's own place.
  let place: (InputError.Code, String, [String], String?) -> InputError

  /// What the placement says, and the replicas and losses beside it.
  func rules(of spec: WorkloadSpec, _ refusals: inout Refusals) -> Constraints {
    var rules = rules(spec.placement, labels: spec.labels ?? [:], &refusals)
    if let replicas = spec.replicas { rules.replicas = self.replicas(replicas, &refusals) }
    if let survive = spec.survive { rules.survive = self.survive(survive, &refusals) }
    if let spread = rules.spread, let survive = rules.survive, spread.over != survive.over {
      refusals.add(
        place(
          .contradiction,
          "survive counts \(survive.over.rawValue)s and placement.spread \(spread.over.rawValue)s; one workload has domains of "
            + "one kind", ["survive", survive.over.rawValue + "s"], String(survive.losses)))
    }
    if let most = rules.replicas?.most {
      let least = max(rules.spread?.atLeast ?? 1, (rules.survive?.losses ?? 0) + 1)
      if most < least {
        refusals.add(
          place(
            .contradiction, "placement.spread and survive need \(least) replicas, max is \(most)", ["replicas", "max"],
            String(most)))
      }
    }
    return rules
  }

  private func replicas(_ spec: WorkloadSpec.Replicas, _ refusals: inout Refusals) -> ReplicaLimits? {
    guard spec.min != nil || spec.max != nil else {
      refusals.add(place(.missingKey, "replicas needs min, max or both", ["replicas"], nil))
      return nil
    }
    for (key, value) in [("min", spec.min), ("max", spec.max)] {
      if let value, let message = RangeCheck.message(key, value, InputLimits.replicas) {
        refusals.add(place(.outOfRange, message, ["replicas", key], String(value)))
      }
    }
    if let least = spec.min, let most = spec.max, most < least {
      refusals.add(
        place(.contradiction, "max is \(most), which is below min, \(least)", ["replicas", "max"], String(most)))
    }
    return ReplicaLimits(least: spec.min ?? 1, most: spec.max)
  }

  private func survive(_ spec: WorkloadSpec.Survive, _ refusals: inout Refusals) -> Survival? {
    switch (spec.gpus, spec.nodes) {
    case (nil, nil):
      refusals.add(place(.missingKey, "survive needs gpus or nodes", ["survive"], nil))
    case (_?, _?):
      refusals.add(place(.contradiction, "survive counts either gpus or nodes", ["survive", "nodes"], nil))
    case (let losses?, nil): return survival(.gpu, losses, "gpus", &refusals)
    case (nil, let losses?): return survival(.node, losses, "nodes", &refusals)
    }
    return nil
  }

  private func survival(_ over: Spread.Domain, _ losses: Int, _ key: String, _ refusals: inout Refusals) -> Survival {
    if let message = RangeCheck.message(key, losses, InputLimits.losses) {
      refusals.add(place(.outOfRange, message, ["survive", key], String(losses)))
    }
    return Survival(over: over, losses: losses)
  }

  private func rules(_ spec: PlacementSpec?, labels: [String: String], _ refusals: inout Refusals) -> Constraints {
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
