/// What one instance kind can do for a workload: the best admissible point, and the load it may be given.
struct Offer: Hashable, Sendable {
  /// Requests per second, above 0.
  var capacity: Double
  var batch: Int32
  var processes: Int32
  var latencyMs: Double
}

/// Offers of one workload on one product, one entry per kind of the product's ``CutTable``; nil where no point is
/// admissible.
typealias OfferRow = [Offer?]
