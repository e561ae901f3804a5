/// GPU pools as they cross the wire: `{"pools": [...]}`.
package struct PoolsDocument: Decodable, Sendable {
  package var pools: [Attempt<PoolSpec>]

  package init(from decoder: any Decoder) throws {
    pools = try decoder.object("pools").decode([Attempt<PoolSpec>].self, forKey: "pools")
  }
}

/// A set of equal GPUs that a plan may use.
package struct PoolSpec: Decodable, Hashable, Sendable {
  package var name: String
  package var product: String
  /// GPUs in stock; as many as needed where absent.
  package var count: Int?
  /// What one GPU costs, by the name of the figure.
  package var figures: [String: Double]
  /// The machines that hold the GPUs; the pool's count is then their sum.
  package var nodes: [Node]?

  package struct Node: Codable, Hashable, Sendable {
    package var name: String
    package var count: Int

    package init(name: String, count: Int) {
      self.name = name
      self.count = count
    }

    package init(from decoder: any Decoder) throws {
      let object = try decoder.object("name", "count")
      name = try object.decode(String.self, forKey: "name")
      count = try object.integer("count")
    }
  }

  package init(from decoder: any Decoder) throws {
    let figures = decoder.keys(.figures)
    let object = try decoder.object("name", "product", "count", "nodes", also: figures)
    name = try object.decode(String.self, forKey: "name")
    product = try object.decode(String.self, forKey: "product")
    count = try object.optionalInteger("count")
    self.figures = try object.numbers(figures)
    nodes = try object.decodeIfPresent([Node].self, forKey: "nodes")
  }
}
