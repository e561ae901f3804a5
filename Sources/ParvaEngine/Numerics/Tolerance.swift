/// How exactly sums of rates and capacities are compared: far above rounding, far below any measurement.
enum Tolerance {
  static let relative = 1e-9
}
