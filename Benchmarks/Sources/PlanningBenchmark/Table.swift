import Foundation

/// A Markdown table, ready for the docs.
struct Table {
  private var rows: [[String]]

  init(_ header: [String]) {
    rows = [header, header.indices.map { $0 == 0 ? "---" : "---:" }]
  }

  mutating func add(_ row: [String]) { rows.append(row) }

  func print() {
    for row in rows { Swift.print("| " + row.joined(separator: " | ") + " |") }
    Swift.print("")
  }
}

extension Double {
  func text(_ digits: Int) -> String { String(format: "%.\(digits)f", self) }
}
