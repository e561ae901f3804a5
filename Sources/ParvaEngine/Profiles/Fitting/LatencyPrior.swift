/// What is known of every model before it is measured: soft bounds that keep a dozen points from being explained by
/// nonsense. Each term is a straight line through the parameters, divided by how far it may stray.
///
/// The bounds are wide; doubling or halving any of them moves the mean error on the published measurements by less than
/// half a percentage point.
enum LatencyPrior {
  struct Term: Sendable {
    /// Parameters with their factors.
    var factors: [(index: Int, factor: Double)]
    var centre: Double
    /// Standard deviation.
    var spread: Double
  }

  /// Share by which measured latencies stray from the best curve of the model, besides what points tell themselves.
  static let discrepancy = 0.06

  static func terms(sizes: Int) -> [Term] {
    typealias Index = LatencyModel.Index
    var terms = [
      // A sample costs e^-3 of its saturated work on one slice while the instance is idle, give or take e^2.
      Term(factors: [(Index.perSample, 1), (Index.work, -1)], centre: -3, spread: 2),
      // The least batch wastes as much as one sample's work.
      Term(factors: [(Index.overhead, 1)], centre: 0, spread: 1.5),
      Term(factors: [(Index.scaling, 1)], centre: 1, spread: 0.05),
      Term(factors: [(Index.blend, 1)], centre: 0.9, spread: 0.7),
      // Another process stretches the launch by 4 percent.
      Term(factors: [(Index.contention, 1)], centre: -3.3, spread: 1),
      Term(factors: [(Index.crowding, 1)], centre: 0, spread: 0.05),
    ]
    for size in 0..<sizes { terms.append(Term(factors: [(Index.sizes + size, 1)], centre: 0, spread: 0.1)) }
    return terms
  }

  /// Adds the terms to an information matrix, row by row, with a trace of it for the two scales that have no term.
  static func add(to information: inout SymmetricMatrix, sizes: Int) {
    for term in terms(sizes: sizes) {
      var row = [Double](repeating: 0, count: information.order)
      for (index, factor) in term.factors { row[index] = factor / term.spread }
      information.addOuterProduct(of: row)
    }
    information[LatencyModel.Index.launch, LatencyModel.Index.launch] += 0.01
    information[LatencyModel.Index.work, LatencyModel.Index.work] += 0.01
  }
}
