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
        pool(spec, document, path, &refusals).map { pools.append($0) }
      }
    }
    try refusals.check()
    return pools
  }

  private static func pool(
    _ spec: PoolSpec, _ document: InputDocument, _ path: [String], _ refusals: inout Refusals
  ) -> Pool? {
    if !Names.isIdentifier(spec.name) {
      refusals.add(
        document.error(.invalidName, "name must be \(Names.identifierRule)", at: path + ["name"], value: spec.name))
    }
    if let count = spec.count, let message = RangeCheck.message("count", count, InputLimits.poolCount) {
      refusals.add(document.error(.outOfRange, message, at: path + ["count"], value: String(count)))
    }
    if let cost = spec.hourlyCost, let message = RangeCheck.message("hourlyCost", cost, InputLimits.hourlyCost) {
      refusals.add(document.error(.outOfRange, message, at: path + ["hourlyCost"], value: RangeCheck.plain(cost)))
    }
    if let watts = spec.watts, let message = RangeCheck.message("watts", watts, InputLimits.watts) {
      refusals.add(document.error(.outOfRange, message, at: path + ["watts"], value: RangeCheck.plain(watts)))
    }
    guard let product = ProductCatalogue.product(named: spec.product) else {
      let error = InputError.unknownProduct(spec.product)
      refusals.add(document.error(error.code, error.message, at: path + ["product"], value: spec.product))
      return nil
    }
    return Pool(
      name: spec.name, product: product, count: spec.count, hourlyCost: spec.hourlyCost, watts: spec.watts)
  }
}
