import Foundation
import ParvaEngine
import ParvaFormats

/// What the audit is told of changes of the demand.
extension DemandTransaction {
  /// Revision and hash of what a change is about, as it is at this moment; nil where it is not there. Of sets the revision
  /// alone, since a hash of 100,000 workloads would be dear.
  func tag(of change: DemandChange) -> String? {
    switch change.operation {
    case .create(let workloads) where workloads.count == 1: tag(ofWorkload: workloads[0].id)
    case .put(let workload): tag(ofWorkload: workload.id)
    case .delete(let id): tag(ofWorkload: id)
    case .create, .replaceAll, .change: EntityTag.forRecords(revision(of: change.namespace), nil)
    case .createNamespace(let name, _), .putNamespace(let name, _), .deleteNamespace(let name): tag(ofNamespace: name)
    case .putProfile(let profile): tag(of: ProfileKey(profile))
    case .deleteProfile(let key): tag(of: key)
    }
  }

  private func tag(ofWorkload id: String) -> String? {
    registration(id).map { EntityTag.forRecords($0.revision, WorkloadWriter.json($0.workload)) }
  }

  private func tag(ofNamespace name: String) -> String? {
    namespace(name).map { record in
      EntityTag.forRecords(record.revision, Data("\(record.terms)".utf8))
    }
  }

  private func tag(of key: ProfileKey) -> String? {
    profile(key).map { EntityTag.forRecords($0.revision, ProfileCodec.data($0.profile)) }
  }
}

extension DemandChange {
  /// What it is about; nil where the path says it.
  var resource: String? {
    switch operation {
    case .create(let workloads) where workloads.count == 1: "workloads/\(workloads[0].id)"
    case .create, .replaceAll, .change: namespace.map { "namespaces/\($0)/workloads" } ?? "workloads"
    case .createNamespace(let name, _): "namespaces/\(name)"
    case .putProfile(let profile): ProfileKey(profile).ownResource
    case .deleteProfile(let key): key.ownResource
    case .put, .delete, .putNamespace, .deleteNamespace: nil
    }
  }
}

extension DemandChange.Operation {
  /// What the request is answered when it has this effect.
  func status(of effect: ChangeReceipt.Effect) -> Int {
    switch self {
    case .create, .createNamespace: 201
    case .delete, .deleteProfile, .deleteNamespace: 204
    case .put, .putProfile, .putNamespace: effect == .created ? 201 : 200
    case .replaceAll, .change: 200
    }
  }
}

extension ProfileKey {
  /// As the audit names what is of one namespace; nil where the path says it.
  fileprivate var ownResource: String? { namespace.map { "namespaces/\($0)/profiles/\(model)" } }
}
