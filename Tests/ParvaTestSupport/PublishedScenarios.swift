import Foundation
package import ParvaEngine
import ParvaFormats

/// The six scenarios and the measurements published with the SC'24 paper; ask ``SharedData/isPresent`` first.
package enum PublishedScenarios {
  package static let numbers = 1...6

  /// The workloads of scenario `number`, each named after its model.
  package static func workloads(_ number: Int) throws -> [Workload] {
    let folder = try folder
    return try ScenarioReader.read(
      rates: InputSource.load(folder + "/slo_request_rate.csv"),
      latencies: InputSource.load(folder + "/slo_latency_ms.csv"), row: number,
      models: measuredProfiles().all.map(\.model))
  }

  /// The measurements of all models on A100-80GB.
  package static func measuredProfiles() throws -> ProfileCatalogue {
    ProfileCatalogue(try ProfileReader.load(folder + "/profiles", product: product))
  }

  /// A100-80GB, the product of the paper.
  package static var product: GPUProduct {
    get throws {
      guard let product = ProductCatalogue.product(named: "A100-80GB") else { throw Missing.product }
      return product
    }
  }

  private static var folder: String {
    get throws {
      guard let published = SharedData.published else { throw Missing.data }
      return published.path
    }
  }

  private enum Missing: Error {
    case data, product
  }
}
