import Foundation
package import ParvaEngine

/// The profiles that stand in where the user brings none: modelled, and said so wherever they are shown.
package enum BuiltInCatalogue {
  /// The product that the figures speak of.
  package static let product = "A100-80GB"

  /// Framebuffer that a process can use, in GiB, by compute slices of the instance.
  private static let usableGiB = [1: 9.5, 2: 19.5, 3: 39.25, 4: 39.25, 7: 79.0]

  /// All models on the product's plain sizes, batches 1 to 256 in powers of two, 1 to 5 processes. Computed once.
  package static let profiles: [ModelProfile] = {
    guard let product = ProductCatalogue.product(named: product) else { return [] }
    return ModelParameters.all.map { model in
      ModelProfile(
        model: model.model, product: product.name, source: .modelled, points: points(of: model, on: product))
    }
  }()

  package static let catalogue = ProfileCatalogue(profiles)

  /// Names of the models, in order.
  package static var models: [String] { profiles.map(\.model) }

  private static func points(of model: ModelParameters, on product: GPUProduct) -> [ProfilePoint] {
    var points: [ProfilePoint] = []
    for (slices, usable) in usableGiB.sorted(by: { $0.key < $1.key }) {
      guard let profile = product.plainProfileIndex(computeSlices: slices) else { continue }
      for batch in (0...8).map({ 1 << $0 }) {
        for processes in 1...5 {
          let memory =
            Double(processes) * (model.memoryGiBPerProcess + model.memoryGiBPerSample * Double(batch))
          guard memory <= usable else { continue }
          let latency = model.latencyMs(slices: slices, batch: batch, processes: processes)
          points.append(
            ProfilePoint(
              profile: profile, batch: batch, processes: processes,
              throughput: 1000 * Double(batch * processes) / latency, latencyMs: latency, memoryMiB: memory * 1024,
              source: .modelled))
        }
      }
    }
    return points
  }
}

extension ModelParameters {
  /// Execution latency of one batch in milliseconds: a smooth maximum of the time that the batch takes by itself and
  /// the time that all processes' batches take on a saturated instance.
  func latencyMs(slices: Int, batch: Int, processes: Int) -> Double {
    let (b, p, k) = (Double(batch), Double(processes), Double(slices))
    let alone = launchMs * (1 + contention * (p - 1)) + perSampleMs * b
    let together = saturatedMs * p * b / pow(k, saturatedExponent)
    return pow(pow(alone, blend) + pow(together, blend), 1 / blend)
  }
}
