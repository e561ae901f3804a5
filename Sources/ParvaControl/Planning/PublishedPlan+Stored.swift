import Foundation
import Logging
import ParvaEngine
import ParvaFormats

extension PublishedPlan {
  /// A stored plan; nil where its document no longer reads: the next plan is made afresh then.
  ///
  /// - Parameters:
  ///   - tellsAll: whether it stays as it is, so that all nodes are told of it, also those that are to hold nothing.
  ///   - known: a plan that was read before: one of the same revision has the same document.
  convenience init?(
    _ stored: StoredPlan, tellsAll: Bool, _ nodes: [NodeRecord], known: PublishedPlan? = nil, _ logger: Logger
  ) {
    let plan: Plan
    if let known, known.record.revision == stored.record.revision {
      plan = known.plan
    } else {
      do {
        plan = try PlanReader.read(InputSource(stored.document, format: .json))
      } catch {
        logger.warning(
          "the stored plan cannot be read and is made afresh",
          metadata: ["revision": "\(stored.record.revision)", "error": "\(error)"])
        return nil
      }
    }
    let assignments = NodeAssignments(data: stored.assignments)
    self.init(
      record: stored.record, plan: plan, json: stored.document,
      assignments: tellsAll ? assignments?.told(to: nodes) : assignments, origin: .stored)
  }
}
