package import Foundation
package import ParvaEngine
package import ParvaFormats
package import ParvaHTTP
import Synchronization

/// A plan as clients see it, with its documents and its answers about single workloads.
package final class PublishedPlan: Sendable {
  package let record: PlanRecord
  package let plan: Plan
  /// Where it comes from.
  package let origin: Origin
  private let document: Rendering
  /// What each node is told of it; nil where it is bound to no nodes.
  package let assignments: NodeAssignments?
  /// By namespace, as if no plan had been before; empty where all is of one.
  let parts: [String: PlanPart]
  private let unplaced: [String: Unserved]
  private let partial: [String: PartialService]
  private let capacities: [String: Double]
  /// Requests per second that each workload is served.
  package let rates: [String: Double]
  /// Where the segments of each workload stand, as indices of GPU and segment; made when it is first asked for.
  private let places = Mutex<[String: [(gpu: Int, segment: Int)]]?>(nil)
  private let rendered = Mutex<[DocumentFormat: Rendering]>([:])

  package enum Origin: String, Hashable, Sendable {
    /// This process has made it, or made it again.
    case planned
    /// Read from the store: at the start, or where another controller leads, or led when it was made.
    case stored
  }

  /// - Parameter json: the JSON document as it is kept, without the plan's name.
  package init(
    record: PlanRecord, plan: Plan, json: Data, assignments: NodeAssignments? = nil, origin: Origin = .planned
  ) {
    self.record = record
    self.plan = plan
    self.assignments = assignments
    self.origin = origin
    rates = plan.sums(\.load)
    document = Rendering(PlanWriter.json(json, as: record.identity), .json, record, origin)
    parts = PlanPart.parts(of: plan, record.revision)
    unplaced = Dictionary(plan.unplaced.map { ($0.workload, $0) }, uniquingKeysWith: { first, _ in first })
    capacities = plan.sums(\.capacity)
    partial = Dictionary(plan.partial.map { ($0.workload, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// The same plan, of which other nodes are told. O(1).
  init(_ plan: PublishedPlan, telling assignments: NodeAssignments) {
    (record, self.plan, origin, document) = (plan.record, plan.plan, plan.origin, plan.document)
    self.assignments = assignments
    (parts, unplaced, partial) = (plan.parts, plan.unplaced, plan.partial)
    (capacities, rates) = (plan.capacities, plan.rates)
  }

  /// Requests per second of all segments of a workload.
  package func capacity(of workload: String) -> Double { capacities[workload] ?? 0 }

  /// The segments of a workload, by GPU as the plan numbers them. O(segments of the plan) the first time.
  package func segments(of workload: String) -> [(index: Int, gpu: PlannedGPU, segment: Segment)] {
    let found = places.withLock { places in
      let known =
        places
        ?? plan.gpus.indices.reduce(into: [:]) { known, gpu in
          for (index, segment) in plan.gpus[gpu].segments.enumerated() {
            known[segment.workload, default: []].append((gpu, index))
          }
        }
      places = known
      return known[workload] ?? []
    }
    return found.map { ($0.gpu, plan.gpus[$0.gpu], plan.gpus[$0.gpu].segments[$0.segment]) }
  }

  /// Why the plan leaves a workload out; nil where it does not.
  package func unserved(_ workload: String) -> Unserved? { unplaced[workload] }

  /// Workloads of which it tells something else than another plan: whether they get anything, or why not all. O(workloads).
  func differing(from other: PublishedPlan) -> Set<String> {
    func differ<Value>(_ key: KeyPath<PublishedPlan, [String: Value]>, _ isSame: (Value?, Value?) -> Bool) -> [String] {
      let (mine, theirs) = (self[keyPath: key], other[keyPath: key])
      return mine.compactMap { isSame($0.value, theirs[$0.key]) ? nil : $0.key }
        + theirs.keys.filter { mine[$0] == nil && !isSame(nil, theirs[$0]) }
    }
    return Set(
      differ(\.capacities) { ($0 ?? 0 > 0) == ($1 ?? 0 > 0) } + differ(\.unplaced) { $0?.code == $1?.code }
        + differ(\.partial) { $0?.code == $1?.code })
  }

  package func partialService(of workload: String) -> PartialService? { partial[workload] }

  /// The document in one format where it has been written before.
  package func writtenDocument(_ export: PlanExport) -> Rendering? {
    export.format == .json ? document : rendered.withLock { $0[export.format] }
  }

  /// The document in one format, written once. O(segments) the first time.
  package func document(_ export: PlanExport) -> Rendering {
    if let written = writtenDocument(export) { return written }
    let written = Rendering(export.write(plan, record.identity, TextStyle()), export.format, record, origin)
    rendered.withLock { $0[export.format] = written }
    return written
  }

  /// A plan in one format, ready to be sent many times.
  package struct Rendering: Sendable {
    package let body: CachedBody
    /// The entity tag, and what else an answer says beside the plan.
    package let headers: HTTPHeaders

    fileprivate init(_ data: Data, _ format: DocumentFormat, _ record: PlanRecord, _ origin: Origin) {
      body = CachedBody(data)
      headers = [
        "ETag": EntityTag(revision: record.revision, of: data, as: format).text, "Vary": "Accept",
        "Parva-Plan-Revision": String(record.revision), "Parva-Demand-Revision": String(record.demandRevision),
        "Parva-Plan-Origin": origin.rawValue,
      ]
    }
  }
}
