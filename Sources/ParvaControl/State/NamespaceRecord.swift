package import Foundation

/// A namespace as it was declared: the part of the demand that is one tenant's.
package struct NamespaceRecord: Hashable, Sendable {
  package var name: String
  package var quota: NamespaceQuota
  /// Its part of scarce GPUs beside other namespaces, within one priority; above 0.
  package var weight: Double
  /// Demand revision at which it was declared last.
  package var revision: Int
  /// Demand revision of the last change of one of its workloads, or at which it was made.
  package var contents: Int
  package var createdAt: Date
  package var updatedAt: Date

  package init(
    name: String, quota: NamespaceQuota, weight: Double = 1, revision: Int, contents: Int, createdAt: Date,
    updatedAt: Date
  ) {
    self.name = name
    self.quota = quota
    self.weight = weight
    self.revision = revision
    self.contents = contents
    self.createdAt = createdAt
    self.updatedAt = updatedAt
  }
}

/// What is declared of a namespace.
package struct NamespaceTerms: Hashable, Sendable {
  package var quota: NamespaceQuota
  package var weight: Double

  package init(quota: NamespaceQuota = NamespaceQuota(), weight: Double = 1) {
    (self.quota, self.weight) = (quota, weight)
  }
}

extension NamespaceRecord {
  package var terms: NamespaceTerms { NamespaceTerms(quota: quota, weight: weight) }
}

/// How much a namespace may have; nil is without a bound.
package struct NamespaceQuota: Hashable, Sendable {
  /// GPUs that plans give it.
  package var gpus: Double?
  package var workloads: Int?
  /// Requests per second of all its workloads, each at the highest of its schedule.
  package var rate: Double?

  package init(gpus: Double? = nil, workloads: Int? = nil, rate: Double? = nil) {
    self.gpus = gpus
    self.workloads = workloads
    self.rate = rate
  }
}

/// What a namespace has registered.
package struct NamespaceUse: Hashable, Sendable {
  package var workloads = 0
  /// Requests per second.
  package var rate = 0.0

  package init() {}

  mutating func add(_ rate: Double) {
    workloads += 1
    self.rate += rate
  }

  /// What is left of a sum of nothing is nothing, however the sums before were rounded.
  mutating func remove(_ rate: Double) {
    workloads -= 1
    self.rate = workloads == 0 ? 0 : max(0, self.rate - rate)
  }
}

/// Why a quota refuses a change.
package struct QuotaExcess: Hashable, Sendable {
  package enum Kind: String, Hashable, Sendable { case workloads, rate }

  package var namespace: String
  package var kind: Kind
  /// What the quota allows, what is used, and what would be used after the change.
  package var limit: Double
  package var used: Double
  package var wanted: Double
}
