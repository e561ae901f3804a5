import ParvaEngine

/// Valid workloads of every shape.
enum RandomWorkloads {
  static func list(_ random: inout SeededGenerator) -> [Workload] {
    (0..<Int.random(in: 0...8, using: &random)).map { number in workload(number, &random) }
  }

  private static func workload(_ number: Int, _ random: inout SeededGenerator) -> Workload {
    let arrivals: [ArrivalProcess] = [
      .poisson, .deterministic, .gamma(cv2: Double.random(in: 0.01...900, using: &random)),
    ]
    let words = ["yes", "no", "null", "1.5", "0x10", "true", "Vision", "a_b-c.d", ""]
    let labels = (0..<Int.random(in: 0...3, using: &random)).map {
      ("key\($0)", words.randomElement(using: &random) ?? "")
    }
    return Workload(
      id: "\(["w", "0", "1e5", "null", "a.b-c"].randomElement(using: &random) ?? "w")\(number)",
      model: ["bert", "org/Model:v1@x", "1.0", "on"].randomElement(using: &random) ?? "m",
      rate: Double.random(in: 1e-6...1e9, using: &random),
      sloLatencyMs: Double.random(in: 1e-3...1e7, using: &random),
      percentile: Double.random(in: 0.001...0.999, using: &random),
      arrivals: arrivals.randomElement(using: &random) ?? .poisson,
      priority: Int.random(in: -1_000_000...1_000_000, using: &random),
      labels: Dictionary(uniqueKeysWithValues: labels))
  }
}
