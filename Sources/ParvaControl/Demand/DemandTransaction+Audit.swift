import Foundation
import ParvaEngine
import ParvaFormats

/// What the audit is told of changes of the demand.
extension DemandTransaction {
  /// Revision and hash of what a change is about, as it is at this moment; nil where it is not there. Of sets the revision
  /// alone, since a hash of 100,000 workloads would be dear.
  func tag(of operation: DemandChange.Operation) -> String? {
    switch operation {
    case .create(let workloads) where workloads.count == 1: tag(ofWorkload: workloads[0].id)
    case .put(let workload): tag(ofWorkload: workload.id)
    case .delete(let id): tag(ofWorkload: id)
    case .create, .replaceAll, .change: EntityTag.forRecords(revision, nil)
    case .putProfile(let profile): tag(of: ProfileKey(model: profile.model, product: profile.product))
    case .deleteProfile(let key): tag(of: key)
    }
  }

  private func tag(ofWorkload id: String) -> String? {
    registration(id).map { EntityTag.forRecords($0.revision, WorkloadWriter.json($0.workload)) }
  }

  private func tag(of key: ProfileKey) -> String? {
    profile(key).map { EntityTag.forRecords($0.revision, ProfileCodec.data($0.profile)) }
  }
}

extension DemandChange.Operation {
  /// What it is about; nil where the path says it.
  var resource: String? {
    switch self {
    case .create(let workloads) where workloads.count == 1: "workloads/\(workloads[0].id)"
    case .create, .replaceAll, .change: "workloads"
    case .putProfile, .deleteProfile, .put, .delete: nil
    }
  }

  /// What the request is answered when it has this effect.
  func status(of effect: ChangeReceipt.Effect) -> Int {
    switch self {
    case .create: 201
    case .delete, .deleteProfile: 204
    case .put, .putProfile: effect == .created ? 201 : 200
    case .replaceAll, .change: 200
    }
  }
}
