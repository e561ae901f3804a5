/// Which ways to run a model surely fit into memory, from those that were seen to fit.
///
/// Memory is taken to grow as `p x (context + perSample x b)` with both unknown and not negative. Every point that fitted
/// bounds them from above, and so does a memory reading; a place fits for sure when even the worst pair within all bounds
/// does. What an instance keeps for itself weighs most on the smallest, so that memory in proportion is on the safe side
/// where a small instance proves something of a larger one. Nothing is concluded the other way: a place without proof is left out, not called a misfit.
struct MemoryProof: Sendable {
  /// `processes x context + samples x perSample <= memory`.
  private struct Bound {
    var processes: Double
    var samples: Double
    var memory: Double
  }

  private let product: GPUProduct
  private let misfits: [ProfilePlace]
  /// Corners of the region of (context, perSample) within all bounds. Empty where nothing was seen to fit.
  private let corners: [(context: Double, perSample: Double)]

  /// O(n^3) in the number of points that no other one implies, which is a handful.
  init(_ profile: ModelProfile, product: GPUProduct) {
    self.product = product
    misfits = profile.misfits
    let bounds = profile.points.map { point in
      Bound(
        processes: Double(point.processes), samples: Double(point.batch * point.processes),
        memory: min(point.memoryMiB ?? .infinity, Self.memory(of: point.profile, on: product)))
    }.filter { $0.memory > 0 }
    let sharp = bounds.indices.filter { index in
      !bounds.indices.contains { other in
        let (a, b) = (bounds[other], bounds[index])
        let (ofProcesses, ofSamples) = (a.processes * b.memory, a.samples * b.memory)
        guard ofProcesses >= b.processes * a.memory, ofSamples >= b.samples * a.memory else { return false }
        return ofProcesses > b.processes * a.memory || ofSamples > b.samples * a.memory || other < index
      }
    }.map { bounds[$0] }
    corners = Self.corners(sharp)
  }

  /// Memory of an instance in MiB; where the product does not tell, its share of the axis.
  static func memory(of profile: Int, on product: GPUProduct) -> Double {
    let instance = product.profiles[profile]
    return Double(instance.memoryMiB ?? instance.placementSize * 4096)
  }

  /// Whether the place fits whatever the model's memory is within what was seen.
  func fits(_ place: ProfilePlace) -> Bool {
    guard let most = worstCase(place) else { return false }
    let room = Self.memory(of: place.profile, on: product)
    let contradicts = misfits.contains { misfit in
      Self.memory(of: misfit.profile, on: product) >= room && misfit.batch <= place.batch
        && misfit.processes <= place.processes
    }
    return !contradicts && most <= room * (1 + 1e-9)
  }

  /// The most memory in MiB that the place can need; nil where nothing was seen to fit.
  func worstCase(_ place: ProfilePlace) -> Double? {
    corners.map {
      Double(place.processes) * ($0.context + $0.perSample * Double(place.batch))
    }.max()
  }

  private static func corners(_ bounds: [Bound]) -> [(context: Double, perSample: Double)] {
    guard !bounds.isEmpty else { return [] }
    var found = [
      (context: 0.0, perSample: bounds.map { $0.memory / $0.samples }.min() ?? 0),
      (context: bounds.map { $0.memory / $0.processes }.min() ?? 0, perSample: 0.0),
    ]
    for (index, a) in bounds.enumerated() {
      for b in bounds[..<index] {
        let determinant = a.processes * b.samples - b.processes * a.samples
        guard determinant.magnitude > 1e-9 else { continue }
        let context = (a.memory * b.samples - b.memory * a.samples) / determinant
        let perSample = (a.processes * b.memory - b.processes * a.memory) / determinant
        guard context >= 0, perSample >= 0,
          bounds.allSatisfy({ $0.processes * context + $0.samples * perSample <= $0.memory * (1 + 1e-9) })
        else { continue }
        found.append((context, perSample))
      }
    }
    return found
  }
}
