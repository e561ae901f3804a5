import ParvaEngine
import ParvaFormats

/// Namespaces within the demand.
extension Demand {
  /// Whether workloads may be in it.
  package func hasNamespace(_ name: String) -> Bool { name == Namespace.standard || namespaces[name] != nil }

  /// The revision that lists of a namespace have: that of the last change of what is in it; of everything for nil.
  package func revision(of namespace: String?) -> Int {
    guard let namespace else { return revision }
    return namespaces[namespace]?.contents ?? (namespace == Namespace.standard ? revision : 0)
  }

  /// What a namespace has registered. O(1) for one that was declared, else O(registrations).
  package func use(of namespace: String) -> NamespaceUse {
    uses[namespace] ?? Self.use(of: registrations.rows(in: namespace, after: nil))
  }

  /// In order of name.
  var gpuQuotas: [GPUQuota] {
    namespaces.values.compactMap { record in
      record.quota.gpus.map { GPUQuota(namespace: record.name, gpus: $0) }
    }.sorted { $0.namespace < $1.namespace }
  }

  /// In order of name; fewer than two share nothing.
  var shares: [NamespaceShare] {
    namespaces.values.map { NamespaceShare(namespace: $0.name, weight: $0.weight) }
      .sorted { $0.namespace < $1.namespace }
  }

  static func use(of rows: some Sequence<Registration>) -> NamespaceUse {
    rows.reduce(into: NamespaceUse()) { $0.add($1.workload.highestRate) }
  }
}

extension RegistrationTable {
  /// The rows of one namespace whose ids come after `id`, all for nil. O(log n); O(n) for ``Namespace/standard``.
  package func rows(in namespace: String, after id: String?) -> ArraySlice<Registration> {
    guard namespace != Namespace.standard else { return rows(after: id).filter { !Namespace.isQualified($0.id) }[...] }
    let prefix = Namespace.prefix(namespace)
    let rest = rows(after: id.map { max($0, prefix) } ?? prefix)
    // Nothing that begins so sorts behind it: no id holds a character above the letters.
    let end = rows(after: prefix + "~").startIndex
    return rest.startIndex < end ? rest[..<end] : []
  }
}
