/// What a plan minimises: the number of GPUs, or the sum over them of a figure that their pools state.
public struct PlanObjective: RawRepresentable, CaseIterable, Hashable, Sendable {
  /// Name a user types, and of the sum in the figures of a plan.
  public let name: String
  /// Name of the figure of one GPU in ``Pool/figures``; nil where every GPU counts 1.
  public let figure: String?
  /// How a sum is shown to people: its unit, the head of a column, and the decimals.
  public let unit: String
  public let heading: String
  public let decimals: Int

  private init(_ name: String, figure: String? = nil, unit: String, heading: String? = nil, decimals: Int = 0) {
    self.name = name
    self.figure = figure
    self.unit = unit
    self.heading = heading ?? unit
    self.decimals = decimals
  }
}

extension PlanObjective {
  public static let gpus = PlanObjective("gpus", unit: "GPUs")
  /// Price of the GPUs for an hour, in the user's currency.
  public static let cost = PlanObjective(
    "cost", figure: "hourlyCost", unit: "per hour", heading: "cost/h", decimals: 2)

  /// The objectives there are.
  public static let allCases: [PlanObjective] = [
    gpus, cost,
    PlanObjective("watts", figure: "watts", unit: "W"),
  ]

  /// Those that are the sum of a figure.
  public static let summed = allCases.filter { $0.figure != nil }

  public var rawValue: String { name }

  public init?(rawValue: String) {
    guard let objective = Self.allCases.first(where: { $0.name == rawValue }) else { return nil }
    self = objective
  }

  /// What one GPU of a pool counts; nil where the pool does not state it.
  public func weight(of pool: Pool) -> Double? { figure.map { pool.figures[$0] } ?? 1 }
}
