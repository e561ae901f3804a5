/// How text for people is drawn.
package struct TextStyle: Hashable, Sendable {
  /// Columns of the terminal, at least ``minimumWidth``.
  package var width: Int
  /// Box drawing and other signs beyond ASCII.
  package var unicode: Bool
  /// ANSI colours (256-colour palette).
  package var color: Bool

  package static let minimumWidth = 48

  package init(width: Int = 110, unicode: Bool = true, color: Bool = false) {
    self.width = max(Self.minimumWidth, width)
    self.unicode = unicode
    self.color = color
  }

  var times: String { unicode ? "×" : "x" }
  var ellipsis: String { unicode ? "…" : "~" }
  var dot: String { unicode ? "·" : "-" }

  /// Background colours that black text is readable on; neighbours in the list are far apart.
  private static let palette = [110, 180, 108, 174, 146, 187, 73, 216, 140, 150, 223, 117]

  /// `text` on the background of its number.
  func painted(_ text: String, _ number: Int) -> String {
    color ? "\u{1b}[48;5;\(Self.palette[number % Self.palette.count])m\u{1b}[38;5;16m\(text)\u{1b}[0m" : text
  }

  func faint(_ text: String) -> String { color ? "\u{1b}[2m\(text)\u{1b}[0m" : text }
  func bold(_ text: String) -> String { color ? "\u{1b}[1m\(text)\u{1b}[0m" : text }

  /// `text` cut to `width` characters, the cut shown.
  func fitted(_ text: String, _ width: Int) -> String {
    if text.count <= width { return text }
    return width < 2 ? String(text.prefix(max(0, width))) : text.prefix(width - 1) + ellipsis
  }
}

/// Columns of text, aligned; numbers to the right.
package struct TextTable {
  package enum Alignment: Sendable {
    case left, right
  }

  private let columns: [(title: String, alignment: Alignment)]
  private var rows: [[String]] = []
  /// Number of the colour of a row's first cell.
  private var colors: [Int?] = []

  package init(_ columns: [(title: String, alignment: Alignment)]) { self.columns = columns }

  package mutating func add(_ row: [String], color: Int? = nil) {
    rows.append(row)
    colors.append(color)
  }

  /// Lines without trailing blanks, with a heading. O(cells).
  package func lines(_ style: TextStyle) -> [String] {
    let widths = columns.indices.map { column in
      rows.reduce(columns[column].title.count) { max($0, $1[column].count) }
    }
    func line(_ cells: [String], color: Int?) -> String {
      let parts = cells.indices.map { column in
        let padding = String(repeating: " ", count: widths[column] - cells[column].count)
        let cell = columns[column].alignment == .left ? cells[column] + padding : padding + cells[column]
        if column == 0, let color { return style.painted(cell, color) }
        return cell
      }
      let text = parts.joined(separator: "  ")
      return text.hasSuffix(" ") ? String(text.reversed().drop { $0 == " " }.reversed()) : text
    }
    return [style.faint(line(columns.map(\.title), color: nil))]
      + zip(rows, colors).map { line($0, color: $1) }
  }
}

/// Numbers for people.
package enum Figures {
  /// With as many decimals as make sense beside each other: none from 1,000 up, one from 100, else two.
  package static func plain(_ value: Double) -> String {
    let magnitude = value.magnitude
    return fixed(value, magnitude >= 1000 ? 0 : magnitude >= 100 ? 1 : 2)
  }

  /// `decimals` places, rounded half away from zero. Beyond the integers that a Double holds exactly, as Swift prints it.
  static func fixed(_ value: Double, _ decimals: Int) -> String {
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    let scaled = (value.magnitude * scale).rounded()
    guard scaled < 9e15 else { return value.description }
    let digits = String(Int(scaled))
    let sign = value < 0 && scaled > 0 ? "-" : ""
    if decimals == 0 { return sign + digits }
    let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
    return sign + padded.dropLast(decimals) + "." + padded.suffix(decimals)
  }

  static func percent(_ share: Double, _ decimals: Int = 1) -> String { fixed(share * 100, decimals) + " %" }

  static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
}
