import ParvaEngine

/// Draws GPUs as bars along their placement axis, one below the other with shared borders.
struct SliceBars {
  /// What stands on one stretch of the axis.
  struct Cell {
    var start: Int
    var size: Int
    /// Wordings of the two lines, longest first; nil for a stretch that holds nothing.
    var text: (first: [String], second: [String])?
    var color: Int = 0
  }

  struct Row {
    /// What stands left of the bar, one a line.
    var labels: (String, String)
    var cells: [Cell]
  }

  private let axisLength: Int
  private let margin: Int
  private let unit: Int
  private let style: TextStyle

  /// - Parameter margin: columns left of the bars.
  init(axisLength: Int, margin: Int, style: TextStyle) {
    self.axisLength = axisLength
    self.margin = margin
    self.style = style
    unit = min(16, max(4, (style.width - margin - 1) / axisLength))
  }

  /// O(rows x axis).
  func lines(_ rows: [Row]) -> [String] {
    var lines: [String] = []
    var above: Set<Int> = []
    for row in rows.map(withGaps) {
      let edges = Set(row.cells.flatMap { [$0.start, $0.start + $0.size] })
      lines.append(border(above: above, below: edges))
      lines.append(line(row, row.labels.0) { $0.first })
      lines.append(line(row, row.labels.1) { $0.second })
      above = edges
    }
    if !rows.isEmpty { lines.append(border(above: above, below: [])) }
    return lines
  }

  /// The row with its free stretches as cells of their own, in order of start.
  private func withGaps(_ row: Row) -> Row {
    var cells: [Cell] = []
    var position = 0
    for cell in row.cells.sorted(by: { $0.start < $1.start }) where cell.start >= position {
      if cell.start > position { cells.append(Cell(start: position, size: cell.start - position)) }
      cells.append(cell)
      position = cell.start + cell.size
    }
    if position < axisLength { cells.append(Cell(start: position, size: axisLength - position)) }
    return Row(labels: row.labels, cells: cells)
  }

  private func border(above: Set<Int>, below: Set<Int>) -> String {
    var text = String(repeating: " ", count: margin)
    for edge in 0...axisLength {
      text += corner(up: above.contains(edge), down: below.contains(edge), edge)
      if edge < axisLength { text += String(repeating: style.unicode ? "─" : "-", count: unit - 1) }
    }
    return text
  }

  private func corner(up: Bool, down: Bool, _ edge: Int) -> String {
    guard style.unicode else { return up || down ? "+" : "-" }
    let shapes: (both: String, up: String, down: String) =
      switch edge {
      case 0: ("├", "└", "┌")
      case axisLength: ("┤", "┘", "┐")
      default: ("┼", "┴", "┬")
      }
    return up && down ? shapes.both : up ? shapes.up : down ? shapes.down : "─"
  }

  private func line(
    _ row: Row, _ label: String, _ wording: ((first: [String], second: [String])) -> [String]
  ) -> String {
    let bar = style.unicode ? "│" : "|"
    var text = style.fitted(label, margin - 1)
    text += String(repeating: " ", count: margin - text.count) + bar
    for cell in row.cells {
      let width = cell.size * unit - 1
      if let words = cell.text {
        let room = width
        let best = wording(words).first { $0.count <= room } ?? style.fitted(wording(words).last ?? "", room)
        let left = (width - best.count) / 2
        let padded =
          String(repeating: " ", count: left) + best + String(repeating: " ", count: width - left - best.count)
        text += style.painted(padded, cell.color)
      } else {
        text += style.faint(String(repeating: style.unicode ? "░" : ".", count: width))
      }
      text += bar
    }
    return text
  }
}
