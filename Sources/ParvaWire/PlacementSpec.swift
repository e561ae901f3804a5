/// Where a workload's segments may stand, as it crosses the wire.
package struct PlacementSpec: Codable, Hashable, Sendable {
  /// Failure domains: `over` is `gpu` or `node`.
  package struct Spread: Codable, Hashable, Sendable {
    package var over: String
    package var atLeast: Int

    package init(over: String, atLeast: Int) {
      self.over = over
      self.atLeast = atLeast
    }

    package init(from decoder: any Decoder) throws {
      let object = try decoder.object("over", "atLeast")
      over = try object.decode(String.self, forKey: "over")
      atLeast = try object.integer("atLeast")
    }
  }

  package var products: [String]?
  package var excludeProducts: [String]?
  package var pools: [String]?
  package var excludePools: [String]?
  package var spread: Spread?
  /// Key of one of the workload's labels.
  package var exclusive: String?

  package init(
    products: [String]? = nil, excludeProducts: [String]? = nil, pools: [String]? = nil, excludePools: [String]? = nil,
    spread: Spread? = nil, exclusive: String? = nil
  ) {
    self.products = products
    self.excludeProducts = excludeProducts
    self.pools = pools
    self.excludePools = excludePools
    self.spread = spread
    self.exclusive = exclusive
  }

  package init(from decoder: any Decoder) throws {
    let object = try decoder.object("products", "excludeProducts", "pools", "excludePools", "spread", "exclusive")
    products = try object.decodeIfPresent([String].self, forKey: "products")
    excludeProducts = try object.decodeIfPresent([String].self, forKey: "excludeProducts")
    pools = try object.decodeIfPresent([String].self, forKey: "pools")
    excludePools = try object.decodeIfPresent([String].self, forKey: "excludePools")
    spread = try object.decodeIfPresent(Spread.self, forKey: "spread")
    exclusive = try object.decodeIfPresent(String.self, forKey: "exclusive")
  }
}
