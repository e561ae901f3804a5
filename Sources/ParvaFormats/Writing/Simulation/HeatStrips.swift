import ParvaEngine

/// One row a thing, one cell a stretch of time, with the events drawn across.
struct HeatStrips {
  struct Row {
    var label: String
    /// Shown at the right end.
    var figure: String
    /// Class and opacity of each cell, and what a pointer shows; nil leaves it empty.
    var cells: [(class: String, opacity: Double, title: String)?]
  }

  private static let width = 1160.0
  private static let left = 170.0
  private static let right = 80.0
  private static let rowHeight = 18.0
  private static let labelHeight = 15.0

  private let rows: [Row]
  private let duration: Double
  private let marks: [(time: Double, label: String)]

  init(_ rows: [Row], duration: Double, marks: [(time: Double, label: String)]) {
    self.rows = rows
    self.duration = duration
    self.marks = marks
  }

  func svg(label: String) -> String {
    let placed = placedMarks()
    let lines = (placed.map(\.row).max() ?? -1) + 1
    let top = Double(lines) * Self.labelHeight + 6
    let base = top + Double(rows.count) * Self.rowHeight
    var content = ""
    for (index, row) in rows.enumerated() { content += self.row(row, y: top + Double(index) * Self.rowHeight) }
    for tick in ticks() {
      content += SVGText.line(x(tick), base, x(tick), base + 4, class: "axis")
      content += SVGText.text("\(SVGText.number(tick)) s", x: x(tick), y: base + 16, anchor: "middle", class: "tick")
    }
    for mark in placed {
      let y = Double(mark.row) * Self.labelHeight + 11
      content += SVGText.line(x(mark.time), y - 9, x(mark.time), base, class: "mark")
      content += SVGText.text(
        mark.label, x: x(mark.time) + (mark.isLeft ? -4 : 4), y: y, anchor: mark.isLeft ? "end" : "start",
        class: "mark-label")
    }
    return SVGText.drawing(width: Self.width, height: base + 22, label: label, content)
  }

  private func x(_ time: Double) -> Double { Self.left + time / duration * (Self.width - Self.left - Self.right) }

  private func row(_ row: Row, y: Double) -> String {
    let plot = Self.width - Self.left - Self.right
    let step = plot / Double(max(1, row.cells.count))
    let middle = y + Self.rowHeight / 2 + 3.5
    var text = SVGText.text(fitted(row.label), x: Self.left - 8, y: middle, anchor: "end")
    text +=
      "<rect x=\"\(SVGText.number(Self.left))\" y=\"\(SVGText.number(y + 1))\" width=\"\(SVGText.number(plot))\" "
      + "height=\"\(SVGText.number(Self.rowHeight - 2))\" class=\"track\"/>\n"
    for (index, cell) in row.cells.enumerated() {
      guard let cell, cell.opacity > 0 else { continue }
      text +=
        "<rect x=\"\(SVGText.number(Self.left + Double(index) * step))\" y=\"\(SVGText.number(y + 1))\" "
        + "width=\"\(SVGText.number(step + 0.15))\" height=\"\(SVGText.number(Self.rowHeight - 2))\" "
        + "class=\"\(cell.class)\" fill-opacity=\"\(SVGText.number(cell.opacity))\">"
        + "<title>\(SVGText.escaped(cell.title))</title></rect>\n"
    }
    return text + SVGText.text(row.figure, x: Self.width - Self.right + 8, y: middle, class: "figure")
  }

  private func fitted(_ text: String) -> String { text.count <= 26 ? text : text.prefix(25) + "…" }

  /// The events' words, each in the first line where it does not run into another.
  private func placedMarks() -> [(time: Double, label: String, row: Int, isLeft: Bool)] {
    var taken: [[ClosedRange<Double>]] = []
    return marks.map { mark in
      let place = x(mark.time)
      let width = Double(mark.label.count) * 6.2 + 8
      let isLeft = place + width > Self.width - 10
      let range = isLeft ? place - width...place : place...place + width
      var row = 0
      while row < taken.count, taken[row].contains(where: { $0.overlaps(range) }) { row += 1 }
      if row == taken.count { taken.append([]) }
      taken[row].append(range)
      return (mark.time, mark.label, row, isLeft)
    }
  }

  /// Round times, about ten of them.
  private func ticks() -> [Double] {
    var step = 1e-4
    while duration / step > 12 {
      let digits = [1.0, 2, 5].map { $0 * step }
      if let good = digits.first(where: { duration / $0 <= 12 }) {
        step = good
        break
      }
      step *= 10
    }
    return (0...Int(duration / step + 1e-9)).map { Double($0) * step }
  }
}
