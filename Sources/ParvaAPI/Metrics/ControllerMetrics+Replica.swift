import ParvaControl
import ParvaServing

/// What this controller is among its replicas; nothing where there is no other.
extension ControllerMetrics {
  func writeReplica(to text: inout MetricsText) {
    let isReplica = part.name != nil
    text.single(
      "parva_replica_leader", "gauge", "Whether this replica leads: 1 or 0.",
      isReplica ? part.name == "leader" ? 1 : 0 : nil)
    text.single(
      "parva_replica_term", "gauge", "Term of the replica that leads, as far as this one knows; none where none leads.",
      part.term.map(Double.init))
    text.single(
      "parva_replica_position", "gauge", "Commits of the shared store that this replica knows.",
      part.position.map(Double.init))
    text.single(
      "parva_replica_staleness_seconds", "gauge", "Age of what a replica that follows knows; none for one that leads.",
      part.staleness.map { $0 / .seconds(1) })
    text.single(
      "parva_replica_takeovers_total", "counter", "Times that this replica has begun to lead.",
      isReplica ? Double(part.tally.takeovers) : nil)
    text.single(
      "parva_replicas", "gauge", "Replicas that share the store, as this one sees it.",
      part.census.map { Double($0.members.count) })
    text.family(
      "parva_replica_findings", "gauge", "What does not fit together among replicas, as this one sees it, by code."
    ) { family in
      guard let findings = part.census?.findings else { return }
      for code in ReplicaFinding.Code.allCases {
        family.sample(["code": code.rawValue], Double(findings.count { $0.code == code }))
      }
    }
    text.family(
      "parva_replica_forwarded_total", "counter", "Requests passed on to the replica that leads, by what came of it."
    ) { family in
      guard let passed = part.link?.passed else { return }
      for outcome in PeerLink.Outcome.allCases {
        family.sample(["outcome": outcome.rawValue], Double(passed[outcome] ?? 0))
      }
    }
  }
}
