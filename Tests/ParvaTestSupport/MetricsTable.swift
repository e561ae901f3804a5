import Foundation

/// What docs/metrics.md says is served, and what is served, in one form.
package struct MetricsTable: Equatable, Sendable {
  package struct Row: Equatable, Sendable {
    package var type: String
    package var labels: Set<String>
  }

  package var rows: [String: Row] = [:]

  private static let gpu = ["gpu", "UUID", "pci_bus_id", "device", "model_name", "Hostname"]

  /// The tables of docs/metrics.md below some of its headings.
  package init(documented sections: [String]) throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "docs/metrics.md")
    var isWanted = false
    for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
      if line.hasPrefix("## ") { isWanted = sections.contains(String(line.dropFirst(3))) }
      let cells = line.split(separator: "|", omittingEmptySubsequences: false).map {
        $0.trimmingCharacters(in: .whitespaces)
      }
      guard isWanted, cells.count == 6, cells[1].hasPrefix("`") else { continue }
      let labels = cells[3].split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
      rows[cells[1].trimmingCharacters(in: ["`"])] = Row(
        type: cells[2], labels: Set(labels.flatMap { $0 == "*GPU*" ? Self.gpu : [$0] }))
    }
  }

  /// What a `/metrics` answered; labels as far as there are samples.
  package init(served text: String) {
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      if line.hasPrefix("# TYPE "), words.count == 4 {
        rows[String(words[2])] = Row(type: String(words[3]), labels: [])
      }
      guard !line.hasPrefix("#"), let end = line.firstIndex(where: { $0 == "{" || $0 == " " }) else { continue }
      var name = String(line[..<end])
      for suffix in ["_bucket", "_sum", "_count"] where rows[name] == nil {
        if name.hasSuffix(suffix) { name = String(name.dropLast(suffix.count)) }
      }
      let labels = line.matches(of: #/[{,]([A-Za-z_]+)="/#).map { String($0.output.1) }
      rows[name, default: Row(type: "none", labels: [])].labels.formUnion(labels.filter { $0 != "le" })
    }
  }

  /// What is served otherwise than documented, in words; empty where the two agree.
  package func faults(against documented: MetricsTable) -> [String] {
    var faults = Set(rows.keys).subtracting(documented.rows.keys).sorted().map { "\($0) has no row in docs/metrics.md" }
    faults += Set(documented.rows.keys).subtracting(rows.keys).sorted().map { "\($0) is documented and not served" }
    for (name, row) in rows.sorted(by: { $0.key < $1.key }) {
      guard let told = documented.rows[name] else { continue }
      if row.type != told.type { faults.append("\(name) is a \(row.type), and documented as \(told.type)") }
      let more = row.labels.subtracting(told.labels).sorted()
      if !more.isEmpty { faults.append("\(name) has labels that are not documented: \(more.joined(separator: ", "))") }
    }
    return faults
  }
}
