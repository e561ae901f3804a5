package import Foundation
package import ParvaControl
package import ParvaEngine
import ParvaHTTP
import Testing

/// A test cannot go on.
package struct Missing: Error, CustomStringConvertible {
  package let description: String

  package init(_ description: String) { self.description = description }
}

/// Values that many tests need.
package enum Samples {
  package static func product(_ name: String) throws -> GPUProduct {
    guard let product = ProductCatalogue.product(named: name) else { throw Missing("no product \(name)") }
    return product
  }

  package static let time = Date(timeIntervalSince1970: 1_800_000_000)

  package static func workload(_ id: String, model: String = "resnet50", rate: Double = 100, priority: Int = 0)
    -> Workload
  {
    Workload(id: id, model: model, rate: rate, sloLatencyMs: 200, priority: priority)
  }

  /// Every field away from its default.
  package static let fullWorkload = Workload(
    id: "full.example", model: "org/Model-7b@v1", rate: 0.125, sloLatencyMs: 418.5, percentile: 0.999,
    margin: 0.25, arrivals: .gamma(cv2: 4), priority: -3, labels: ["team": "vision", "example.org/tier": ""],
    declaredQueue: .perProcess, moveCost: 0.5, maxProcesses: 2)

  package static func registration(_ workload: Workload, revision: Int = 1) -> Registration {
    Registration(workload, revision: revision, createdAt: time, updatedAt: time + 1.5)
  }

  package static func profile(model: String = "tiny", throughput: Double = 500) -> ModelProfile {
    ModelProfile(
      model: model, product: "A100-80GB", source: .filled,
      points: [
        ProfilePoint(profile: 0, batch: 1, processes: 1, throughput: throughput, latencyMs: 2),
        ProfilePoint(
          profile: 0, batch: 8, processes: 2, throughput: 4 * throughput, latencyMs: 5.25, memoryMiB: 812.5,
          source: .filled, margin: 0.125),
      ], misfits: [ProfilePlace(profile: 0, batch: 64, processes: 2)])
  }

  package static func token(_ id: String, role: AccessRole = .reader, expiresAt: Date? = nil) throws -> AccessToken {
    AccessToken(
      id: id, name: "name-of-\(id)", role: role, node: role == .node ? "gpu-1" : nil,
      digest: try #require(SecretDigest(of: "parva_\(id)")), createdAt: time, createdBy: "anonymous",
      expiresAt: expiresAt)
  }

  package static func plan(_ revision: Int, demand: Int = 0, document: String = "{}") -> StoredPlan {
    StoredPlan(
      record: PlanRecord(
        revision: revision, demandRevision: demand, createdAt: time, planner: "parvagpu", status: "feasible",
        gpuCount: revision * 2, lowerBound: Double(revision) + 0.25, unplacedCount: 1),
      document: Data(document.utf8))
  }
}
