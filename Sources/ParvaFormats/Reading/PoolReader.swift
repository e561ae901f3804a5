package import ParvaEngine
import ParvaWire

/// Reads GPU pools from YAML or JSON into validated engine values.
package enum PoolReader {
  /// At least one pool, with unique names.
  ///
  /// - Throws: every refusal found, each with its place.
  package static func read(_ source: InputSource) throws(InputErrors) -> [Pool] {
    if source.format == .csv {
      throw InputErrors(InputError(.invalidSyntax, "pools are read from YAML or JSON", file: source.name))
    }
    let document = try InputDocument(source, limit: InputLimits.fileBytes)
    let specs = try document.decode(PoolsDocument.self).pools
    var refusals = Refusals()
    var pools: [Pool] = []
    var seen: [String: Int] = [:]
    var nodes: [String: String] = [:]
    if specs.isEmpty { refusals.add(document.error(.empty, "at least one pool is needed", at: ["pools"])) }
    for (index, item) in specs.enumerated() {
      switch item {
      case .failure(let error, let path): refusals.add(document.refusal(of: error, at: path))
      case .value(let spec):
        let path = ["pools", String(index)]
        if let first = seen.updateValue(index, forKey: spec.name) {
          refusals.add(
            document.error(
              .duplicate, "name \"\(InputError.shortened(spec.name))\" is already that of item \(first)",
              at: path + ["name"], value: spec.name))
        }
        check(nodes: spec, document, path, &nodes, &refusals)
        pool(spec, document, path, &refusals).map { pools.append($0) }
      }
    }
    try refusals.check()
    return pools
  }

  private static func pool(
    _ spec: PoolSpec, _ document: InputDocument, _ path: [String], _ refusals: inout Refusals
  ) -> Pool? {
    if !Names.isPool(spec.name) {
      refusals.add(
        document.error(.invalidName, "name must be \(Names.poolRule)", at: path + ["name"], value: spec.name))
    }
    if let count = spec.count, let message = RangeCheck.message("count", count, InputLimits.poolCount) {
      refusals.add(document.error(.outOfRange, message, at: path + ["count"], value: String(count)))
    }
    for (figure, value) in spec.figures.sorted(by: { $0.key < $1.key }) {
      if let message = RangeCheck.message(figure, value, InputLimits.figure) {
        refusals.add(document.error(.outOfRange, message, at: path + [figure], value: RangeCheck.plain(value)))
      }
    }
    guard let product = ProductCatalogue.product(named: spec.product) else {
      let error = InputError.unknownProduct(spec.product)
      refusals.add(document.error(error.code, error.message, at: path + ["product"], value: spec.product))
      return nil
    }
    return Pool(
      name: spec.name, product: product, count: spec.count, figures: spec.figures,
      nodes: (spec.nodes ?? []).map { PoolNode(name: $0.name, count: $0.count) })
  }

  /// `seen` tells the pool of every node so far: a node is one failure domain, and belongs to one pool.
  private static func check(
    nodes spec: PoolSpec, _ document: InputDocument, _ path: [String], _ seen: inout [String: String],
    _ refusals: inout Refusals
  ) {
    guard let nodes = spec.nodes else { return }
    if nodes.isEmpty {
      refusals.add(
        document.error(.empty, "nodes is empty; leave it out where they are not known", at: path + ["nodes"]))
    }
    var sum = 0
    for (index, node) in nodes.enumerated() {
      let place = path + ["nodes", String(index)]
      if !Names.isIdentifier(node.name) {
        refusals.add(
          document.error(.invalidName, "name must be \(Names.identifierRule)", at: place + ["name"], value: node.name))
      }
      if let pool = seen.updateValue(spec.name, forKey: node.name) {
        refusals.add(
          document.error(
            .duplicate, "node \"\(InputError.shortened(node.name))\" is already in pool \(InputError.shortened(pool))",
            at: place + ["name"], value: node.name))
      }
      if let message = RangeCheck.message("count", node.count, InputLimits.poolCount) {
        refusals.add(document.error(.outOfRange, message, at: place + ["count"], value: String(node.count)))
      } else {
        sum += node.count
      }
    }
    if let count = spec.count, count != sum {
      refusals.add(
        document.error(
          .contradiction, "count is \(count) and the nodes hold \(sum); leave count out", at: path + ["count"],
          value: String(count)))
    } else if let message = RangeCheck.message("the sum of the nodes' counts", sum, InputLimits.poolCount) {
      refusals.add(document.error(.outOfRange, message, at: path + ["nodes"], value: String(sum)))
    }
  }
}
