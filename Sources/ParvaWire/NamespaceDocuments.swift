/// How much a namespace may have, as it is sent and told; what is left out has no bound.
package struct NamespaceQuotaSpec: Codable, Hashable, Sendable {
  /// What plans may serve, by what it needs at least.
  package var gpus: Double?
  package var workloads: Int?
  /// Requests per second.
  package var rate: Double?

  package init(gpus: Double? = nil, workloads: Int? = nil, rate: Double? = nil) {
    self.gpus = gpus
    self.workloads = workloads
    self.rate = rate
  }

  package init(from decoder: any Decoder) throws {
    let object = try decoder.object("gpus", "workloads", "rate")
    gpus = try object.optionalNumber("gpus")
    workloads = try object.optionalInteger("workloads")
    rate = try object.optionalNumber("rate")
  }
}

/// What is declared of a namespace: the body of `POST /v1/namespaces` and `PUT /v1/namespaces/{name}`. What an answer adds is
/// passed over.
package struct NamespaceSpec: Decodable, Hashable, Sendable {
  package var name: String?
  package var quota: NamespaceQuotaSpec?
  package var weight: Double?

  package init(from decoder: any Decoder) throws {
    let object = try decoder.object(
      "name", "quota", "weight", ignoring: ["use", "revision", "createdAt", "updatedAt"])
    name = try object.decodeIfPresent(String.self, forKey: "name")
    quota = try object.decodeIfPresent(NamespaceQuotaSpec.self, forKey: "quota")
    weight = try object.optionalNumber("weight")
  }
}

/// A namespace as `/v1/namespaces` tells it.
package struct NamespaceDocument: Encodable, Sendable {
  package struct Use: Encodable, Sendable {
    package var workloads: Int
    /// Requests per second.
    package var rate: Double

    package init(workloads: Int, rate: Double) { (self.workloads, self.rate) = (workloads, rate) }
  }

  package var name: String
  package var quota: NamespaceQuotaSpec
  /// Its part of scarce GPUs beside others.
  package var weight: Double
  package var use: Use
  /// Nil for one that was never declared.
  package var revision: Int?
  package var createdAt: String?
  package var updatedAt: String?

  package init(
    name: String, quota: NamespaceQuotaSpec, weight: Double, use: Use, revision: Int? = nil, createdAt: String? = nil,
    updatedAt: String? = nil
  ) {
    self.name = name
    self.quota = quota
    self.weight = weight
    self.use = use
    self.revision = revision
    self.createdAt = createdAt
    self.updatedAt = updatedAt
  }
}
