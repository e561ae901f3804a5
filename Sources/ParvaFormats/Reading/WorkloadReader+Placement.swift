import ParvaEngine
import ParvaWire

extension WorkloadReader {
  /// Columns of a CSV that say what `placement`, `allowPartial`, `moveCost`, `maxProcesses`, `replicas` and `survive` say; lists are
  /// joined by `|`, a spread is `gpu:2` or `node:3`, what is survived `gpus:1` or `nodes:1`, and `exclusive` is the key of a label.
  static let csvPlacementColumns = [
    "products", "exclude_products", "pools", "exclude_pools", "spread", "exclusive", "allow_partial", "move_cost",
    "max_processes", "min_replicas", "max_replicas", "survive",
  ]

  static func placement(from row: CSVRow, _ table: CSVTable, _ refusals: inout Refusals) -> PlacementSpec? {
    func names(_ column: String) -> [String]? {
      table.text(column, row)?.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
    }
    var spec = PlacementSpec(
      products: names("products"), excludeProducts: names("exclude_products"), pools: names("pools"),
      excludePools: names("exclude_pools"), exclusive: table.text("exclusive", row))
    if let text = table.text("spread", row) {
      let parts = text.split(separator: ":", omittingEmptySubsequences: false)
      if parts.count == 2, let count = Int(parts[1]) {
        spec.spread = .init(over: String(parts[0]), atLeast: count)
      } else {
        refusals.add(
          InputError(
            .wrongType, "spread must be gpu:NUMBER or node:NUMBER", file: table.name, line: row.line, value: text))
      }
    }
    return spec == PlacementSpec() ? nil : spec
  }

  static func replicas(from row: CSVRow, _ table: CSVTable, _ refusals: inout Refusals) -> WorkloadSpec.Replicas? {
    let least = table.text("min_replicas", row) == nil ? nil : table.integer("min_replicas", row, &refusals)
    let most = table.text("max_replicas", row) == nil ? nil : table.integer("max_replicas", row, &refusals)
    return least == nil && most == nil ? nil : .init(min: least, max: most)
  }

  static func survive(from row: CSVRow, _ table: CSVTable, _ refusals: inout Refusals) -> WorkloadSpec.Survive? {
    guard let text = table.text("survive", row) else { return nil }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    if parts.count == 2, let count = Int(parts[1]) {
      if parts[0] == "gpus" { return .init(gpus: count) }
      if parts[0] == "nodes" { return .init(nodes: count) }
    }
    refusals.add(
      InputError(
        .wrongType, "survive must be gpus:NUMBER or nodes:NUMBER", file: table.name, line: row.line, value: text))
    return nil
  }

  static func replicas(of workload: Workload) -> WorkloadSpec.Replicas? {
    workload.constraints.replicas.map { .init(min: $0.least, max: $0.most) }
  }

  static func survive(of workload: Workload) -> WorkloadSpec.Survive? {
    workload.constraints.survive.map { $0.over == .gpu ? .init(gpus: $0.losses) : .init(nodes: $0.losses) }
  }

  static func allowPartial(from row: CSVRow, _ table: CSVTable, _ refusals: inout Refusals) -> Bool? {
    switch table.text("allow_partial", row) {
    case nil: return nil
    case "true": return true
    case "false": return false
    case let text?:
      refusals.add(
        InputError(.wrongType, "allow_partial must be true or false", file: table.name, line: row.line, value: text))
      return nil
    }
  }

  static func placement(of workload: Workload) -> PlacementSpec? {
    let rules = workload.constraints
    func list(_ names: [String]) -> [String]? { names.isEmpty ? nil : names }
    let spec = PlacementSpec(
      products: list(rules.products), excludeProducts: list(rules.excludeProducts), pools: list(rules.pools),
      excludePools: list(rules.excludePools),
      spread: rules.spread.map { .init(over: $0.over.rawValue, atLeast: $0.atLeast) }, exclusive: rules.exclusive)
    return spec == PlacementSpec() ? nil : spec
  }
}
