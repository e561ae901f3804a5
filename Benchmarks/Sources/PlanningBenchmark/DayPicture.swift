/// The day of demand as SVG: GPUs above, segments moved at each step below.
struct DayPicture {
  var least: [Int]
  var before: Bench.Course
  var calm: Bench.Course

  private static let width = 860.0
  private static let left = 56.0
  private static let plot = 780.0

  func svg() -> String {
    let gpus = Panel(
      top: 48, height: 180, values: [least, before.gpus, calm.gpus], title: "GPUs", floor: least.min() ?? 0)
    let moved = Panel(
      top: 280, height: 140, values: [before.moved, calm.moved], title: "segments moved at a step", floor: 0)
    return """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(Self.width)) 470" role="img" \
      font-family="system-ui, sans-serif" font-size="12">
      <title>A day of demand: GPUs and moved segments</title>
      <rect width="100%" height="100%" fill="#ffffff"/>
      \(legend([("#9aa0a6", "proven least"), ("#d9822b", "fewest GPUs"), ("#1f6fb2", "calm")]))
      \(gpus.svg(["#9aa0a6", "#d9822b", "#1f6fb2"]))
      \(moved.svg(["#d9822b", "#1f6fb2"]))
      \(hours())
      </svg>

      """
  }

  private func legend(_ entries: [(colour: String, name: String)]) -> String {
    entries.enumerated().map { index, entry in
      let x = Self.left + Double(index) * 130
      return "<rect x=\"\(x.text(0))\" y=\"14\" width=\"18\" height=\"4\" fill=\"\(entry.colour)\"/>"
        + "<text x=\"\((x + 24).text(0))\" y=\"20\" fill=\"#333\">\(entry.name)</text>"
    }.joined(separator: "\n")
  }

  private func hours() -> String {
    stride(from: 0, through: 24, by: 4).map { hour in
      let x = Self.left + Self.plot * Double(hour) / 24
      return "<text x=\"\(x.text(1))\" y=\"442\" text-anchor=\"middle\" fill=\"#555\">\(hour) h</text>"
    }.joined(separator: "\n")
  }

  /// One chart with its own axis.
  private struct Panel {
    var top: Double
    var height: Double
    var values: [[Int]]
    var title: String
    var floor: Int

    private var lowest: Double { Double(floor / 10 * 10) }
    private var highest: Double { Double(((values.flatMap { $0 }.max() ?? 1) + 9) / 10 * 10) }

    private func y(_ value: Double) -> Double {
      top + height * (1 - (value - lowest) / max(1, highest - lowest))
    }

    func svg(_ colours: [String]) -> String {
      var lines = [
        "<text x=\"\(DayPicture.left.text(0))\" y=\"\((top - 8).text(0))\" fill=\"#333\">\(title)</text>"
      ]
      for step in 0...4 {
        let value = lowest + (highest - lowest) * Double(step) / 4
        lines.append(
          "<line x1=\"\(DayPicture.left.text(0))\" x2=\"\((DayPicture.left + DayPicture.plot).text(0))\" "
            + "y1=\"\(y(value).text(1))\" y2=\"\(y(value).text(1))\" stroke=\"#e3e3e3\"/>"
            + "<text x=\"\((DayPicture.left - 8).text(0))\" y=\"\((y(value) + 4).text(1))\" text-anchor=\"end\" "
            + "fill=\"#555\">\(value.text(0))</text>")
      }
      for (series, colour) in zip(values, colours) {
        let points = series.enumerated().map { index, value in
          let x = DayPicture.left + DayPicture.plot * Double(index) / Double(max(1, series.count - 1))
          return "\(x.text(1)),\(y(Double(value)).text(1))"
        }
        lines.append(
          "<polyline fill=\"none\" stroke=\"\(colour)\" stroke-width=\"1.5\" points=\"\(points.joined(separator: " "))\"/>"
        )
      }
      return lines.joined(separator: "\n")
    }
  }
}
