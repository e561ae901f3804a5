/// The body of `PUT /v1/nodes/{name}`: where a node's agent is reached and how it knows the controller.
package struct NodeSpec: Codable, Hashable, Sendable {
  /// Must be the name in the path where it is given.
  package var name: String?
  /// Absolute URL of the agent, for example `https://gpu7.example:8090`.
  package var address: String
  /// Standard Webhooks secret that plans for this node are signed with. Write-only: no answer and no log holds it.
  package var webhookSecret: String?
  /// Name of a file in the controller's folder of node secrets, in place of a secret of its own.
  package var webhookSecretRef: String?
  /// Failure domain.
  package var zone: String?
  package var labels: [String: String]?

  package init(
    name: String? = nil, address: String, webhookSecret: String? = nil, webhookSecretRef: String? = nil,
    zone: String? = nil, labels: [String: String]? = nil
  ) {
    self.name = name
    self.address = address
    self.webhookSecret = webhookSecret
    self.webhookSecretRef = webhookSecretRef
    self.zone = zone
    self.labels = labels
  }

  package init(from decoder: any Decoder) throws {
    let object = try decoder.object(
      "name", "address", "webhookSecret", "webhookSecretRef", "zone", "labels",
      ignoring: ["hasWebhookSecret", "revision", "createdAt", "updatedAt", "status"])
    name = try object.decodeIfPresent(String.self, forKey: "name")
    address = try object.decode(String.self, forKey: "address")
    webhookSecret = try object.decodeIfPresent(String.self, forKey: "webhookSecret")
    webhookSecretRef = try object.decodeIfPresent(String.self, forKey: "webhookSecretRef")
    zone = try object.decodeIfPresent(String.self, forKey: "zone")
    labels = try object.decodeIfPresent([String: String].self, forKey: "labels")
  }
}
