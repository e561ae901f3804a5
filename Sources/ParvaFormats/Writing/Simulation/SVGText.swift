/// Pieces of SVG and HTML text.
enum SVGText {
  /// At most two decimals: finer than any screen.
  static func number(_ value: Double) -> String {
    let text = Figures.fixed(value, 2)
    guard text.contains(".") else { return text }
    let short = text.reversed().drop { $0 == "0" }.drop { $0 == "." }
    return String(short.reversed())
  }

  static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
      .replacing("\"", with: "&quot;")
  }

  static func text(
    _ content: String, x: Double, y: Double, anchor: String = "start", class name: String = "label"
  ) -> String {
    "<text x=\"\(number(x))\" y=\"\(number(y))\" text-anchor=\"\(anchor)\" class=\"\(name)\">\(escaped(content))</text>\n"
  }

  static func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, class name: String) -> String {
    "<line x1=\"\(number(x1))\" y1=\"\(number(y1))\" x2=\"\(number(x2))\" y2=\"\(number(y2))\" class=\"\(name)\"/>\n"
  }

  /// A drawing that takes the width it is given.
  static func drawing(width: Double, height: Double, label: String, _ content: String) -> String {
    """
    <svg viewBox="0 0 \(number(width)) \(number(height))" role="img" aria-label="\(escaped(label))">
    \(content)</svg>

    """
  }
}
