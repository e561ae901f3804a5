extension DryRunOutcome {
  init(_ batch: StoreBatch) {
    row = batch.audit.last
    add("workloads", batch.registrations) { id, _ in id }
    add("profiles", batch.profiles) { key, _ in "\(key.product)/\(key.model)" }
    // Others only have workloads that are set.
    add("namespaces", batch.namespaces.filter { $0.value.map { $0.revision == batch.demandRevision } ?? true }) {
      name, _ in
      name
    }
    add("nodes", batch.nodes) { name, _ in name }
    add("segments", batch.toldSegments) { id, _ in id }
    add("windows", batch.windows) { name, _ in name }
    // What is new would get another id.
    add("tokens", batch.tokens) { id, token in token?.name ?? id }
    add("webhooks", batch.webhooks) { id, record in record.map { $0.revision == 1 ? $0.wish.name : id } ?? id }
    if let plan = batch.plan { add("plans", [plan.record.revision: Optional(plan)]) { revision, _ in "\(revision)" } }
    if batch.registrations.count == 1 { workload = batch.registrations.first?.value?.workload }
  }

  private mutating func add<Key: Hashable, Value>(
    _ kind: String, _ rows: [Key: Value?], name: (Key, Value?) -> String
  ) {
    guard !rows.isEmpty else { return }
    var (set, removed): ([String], [String]) = ([], [])
    for (key, value) in rows {
      if value == nil { removed.append(name(key, value)) } else { set.append(name(key, value)) }
    }
    changes.append(Change(kind: kind, set: PlanCause.Names(set), removed: PlanCause.Names(removed)))
  }
}
