import Foundation
import ParvaEngine
import ParvaTestSupport

/// An invented model whose latencies and memory follow the documented formula exactly, written apart from the fit.
struct SyntheticModel {
  var launch = 8.0
  var perSample = 0.1
  var work = 2.5
  var overhead = 0.7
  var scaling = 1.0
  var blend = 3.0
  var contention = 0.04
  var crowding = 0.0
  var contextMiB = 600.0
  var perSampleMiB = 150.0

  static func random(_ random: inout SeededGenerator) -> SyntheticModel {
    SyntheticModel(
      launch: exp(Double.random(in: log(1)...log(30), using: &random)),
      perSample: Double.random(in: 0.02...0.4, using: &random),
      work: exp(Double.random(in: log(0.5)...log(8), using: &random)),
      overhead: Double.random(in: 0.1...2, using: &random),
      scaling: Double.random(in: 0.95...1.05, using: &random), blend: Double.random(in: 2...6, using: &random),
      contention: Double.random(in: 0.01...0.08, using: &random),
      crowding: Double.random(in: -0.04...0.04, using: &random),
      contextMiB: Double.random(in: 200...2500, using: &random),
      perSampleMiB: Double.random(in: 1...400, using: &random))
  }

  func latencyMs(_ place: ProfilePlace, on product: GPUProduct) -> Double {
    let (b, p) = (Double(place.batch), Double(place.processes))
    let k = Double(product.profiles[place.profile].computeSlices)
    let alone = launch * (1 + contention * (p - 1)) + perSample * b
    let together = work * (b + overhead) * pow(p, 1 + crowding) / pow(k, scaling)
    return pow(pow(alone, blend) + pow(together, blend), 1 / blend)
  }

  func memoryMiB(_ place: ProfilePlace) -> Double {
    Double(place.processes) * (contextMiB + perSampleMiB * Double(place.batch))
  }

  func fits(_ place: ProfilePlace, on product: GPUProduct) -> Bool {
    memoryMiB(place) <= Double(product.profiles[place.profile].memoryMiB ?? 0)
  }

  /// What measuring the places gives, each latency stretched by `noise`.
  func measured(
    _ places: [ProfilePlace], on product: GPUProduct, noise: () -> Double = { 1 }
  ) -> ModelProfile {
    var points: [ProfilePoint] = []
    var misfits: [ProfilePlace] = []
    for place in places {
      guard fits(place, on: product) else {
        misfits.append(place)
        continue
      }
      let latency = latencyMs(place, on: product) * noise()
      points.append(
        ProfilePoint(
          profile: place.profile, batch: place.batch, processes: place.processes,
          throughput: 1000 * Double(place.batch * place.processes) / latency, latencyMs: latency))
    }
    return ModelProfile(
      model: "synthetic", product: product.name, source: .measured, points: points, misfits: misfits)
  }

  static func grid(on product: GPUProduct, maxBatch: Int = 256, maxProcesses: Int = 5) -> [ProfilePlace] {
    [1, 2, 3, 4, 7].compactMap(product.plainProfileIndex).flatMap { profile in
      (0...8).map { 1 << $0 }.filter { $0 <= maxBatch }.flatMap { batch in
        (1...maxProcesses).map { ProfilePlace(profile: profile, batch: batch, processes: $0) }
      }
    }
  }
}
