/// What plans count in one objective, for those who judge them.
struct CheckedObjective {
  /// Objective of one GPU of each pool, by name; where it is not stated, that of the dearest pool, or 1.
  let weights: [String: Double]
  /// The greatest amount of which all weights are multiples, in millionths; 0 where there is none.
  private let unit: Double

  init(_ objective: PlanObjective, _ pools: [Pool]) {
    let dearest = pools.compactMap { Self.stated($0, objective) }.max() ?? 1
    weights = Dictionary(
      pools.map { ($0.name, max(Self.stated($0, objective) ?? dearest, 1e-6)) },
      uniquingKeysWith: { first, _ in first })
    var divisor = 0
    var isExact = true
    for weight in weights.values {
      let millionths = (weight * 1e6).rounded()
      isExact = isExact && (weight * 1e6 - millionths).magnitude < 1e-3
      var (a, b) = (divisor, Int(millionths))
      while b != 0 { (a, b) = (b, a % b) }
      divisor = a
    }
    unit = isExact ? Double(divisor) / 1e6 : 0
  }

  /// What one GPU of the pool counts by what the pool says; nil where it says nothing.
  static func stated(_ pool: Pool, _ objective: PlanObjective) -> Double? {
    guard let figure = objective.figure else { return 1 }
    return pool.figures[figure]
  }

  /// O(GPUs).
  func cost(of plan: Plan) -> Double { plan.gpus.reduce(0) { $0 + (weights[$1.pool] ?? 0) } }

  /// The least value of the objective that a bound allows.
  func least(from bound: Double) -> Double {
    guard unit > 0 else { return bound }
    return max(0, (bound / unit - 1e-6 - 1e-11 * bound.magnitude / unit).rounded(.up) * unit)
  }
}

extension PlanChecker {
  /// The sums of the plan's figures are those of its GPUs, as their pools state them now. What the plan does not say is no
  /// claim. O(GPUs).
  static func checkSums(_ plan: Plan, _ input: PlanningInput, _ found: inout [PlanViolation]) {
    let pools = Dictionary(input.pools.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    for (name, claimed) in plan.summary.sums.sorted(by: { $0.key < $1.key }) {
      let objective = PlanObjective(rawValue: name)
      var sum = 0.0
      var silent = plan.gpus.isEmpty ? "no pool" : nil
      for gpu in plan.gpus {
        if let figure = objective.flatMap({ objective in
          pools[gpu.pool].flatMap { CheckedObjective.stated($0, objective) }
        }) {
          sum += figure
        } else {
          silent = "pool \(gpu.pool)"
        }
      }
      if let silent {
        found.append(
          PlanViolation(
            .wrongSummary, "the plan says that its \(name) is \(claimed), and nothing is stated of \(silent)"))
      } else if !same(sum, claimed) {
        found.append(
          PlanViolation(.wrongSummary, "the plan says that its \(name) is \(claimed), its GPUs add up to \(sum)"))
      }
    }
  }
}
