package import Foundation
package import ParvaEngine
import ParvaFormats
package import ParvaHTTP
import Synchronization

/// A plan as clients see it, with its documents and its answers about single workloads.
package final class PublishedPlan: Sendable {
  package let record: PlanRecord
  package let plan: Plan
  package let json: Data
  private let document: CachedBody
  /// What each node is told of it; nil where it is bound to no nodes.
  package let slices: NodeSlices?
  /// Changes with the content, and with the revision.
  package let tag: String
  private let unplaced: [String: Unplaced]
  private let partial: [String: PartialService]
  private let rendered = Mutex<[PlanFormat: CachedBody]>([:])

  package init(record: PlanRecord, plan: Plan, json: Data, slices: NodeSlices? = nil) {
    self.record = record
    self.plan = plan
    self.json = json
    document = CachedBody(json)
    self.slices = slices
    tag = "\(record.revision)-\(StableHash.digits(of: json))"
    unplaced = Dictionary(plan.unplaced.map { ($0.workload, $0) }, uniquingKeysWith: { first, _ in first })
    partial = Dictionary(plan.partial.map { ($0.workload, $0) }, uniquingKeysWith: { first, _ in first })
  }

  package func refusal(of workload: String) -> Unplaced? { unplaced[workload] }

  package func partialService(of workload: String) -> PartialService? { partial[workload] }

  /// The document in one format where it has been written before.
  package func writtenDocument(_ format: PlanFormat) -> CachedBody? {
    format == .json ? document : rendered.withLock { $0[format] }
  }

  /// The document in one format, written once. O(segments) the first time.
  package func document(_ format: PlanFormat) -> CachedBody {
    if let body = writtenDocument(format) { return body }
    let data =
      switch format {
      case .json: json
      case .yaml: PlanWriter.yaml(plan)
      case .csv: PlanWriter.csv(plan)
      case .text: Data(PlanPicture(plan, style: TextStyle()).text().utf8)
      }
    let body = CachedBody(data)
    rendered.withLock { $0[format] = body }
    return body
  }
}

/// Representations of a plan.
package enum PlanFormat: String, Hashable, Sendable, CaseIterable {
  case json, yaml, csv
  /// A picture for a terminal.
  case text

  package var mediaType: String {
    switch self {
    case .json: "application/json"
    case .yaml: "application/yaml"
    case .csv: "text/csv; charset=utf-8"
    case .text: "text/plain; charset=utf-8"
    }
  }
}
