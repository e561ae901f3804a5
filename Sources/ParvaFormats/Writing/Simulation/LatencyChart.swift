import ParvaEngine

/// The distribution of one workload's latencies on a logarithmic axis, against its objective.
struct LatencyChart {
  private static let width = 380.0
  private static let height = 150.0
  private static let left = 10.0
  private static let right = 10.0
  private static let top = 20.0
  private static let bottom = 24.0
  private static let bins = 84

  private let figures: SimulationReport.WorkloadFigures
  /// Ends of the axis in milliseconds.
  private let low: Double
  private let high: Double

  init(_ figures: SimulationReport.WorkloadFigures) {
    self.figures = figures
    let latencies = figures.latencies
    let slo = figures.workload.sloLatencyMs
    let (first, last) = (latencies.quantile(0.0005) * 1000, latencies.quantile(0.9998) * 1000)
    low = min(latencies.total == 0 ? slo / 10 : first * 0.85, slo * 0.6)
    high = max(latencies.total == 0 ? slo : last * 1.1, slo * 1.3)
  }

  func svg() -> String {
    let base = Self.height - Self.bottom
    var content = ""
    for (value, text) in ticks() {
      content += SVGText.line(x(value), Self.top, x(value), base, class: "grid")
      content += SVGText.text(text, x: x(value), y: base + 15, anchor: "middle", class: "tick")
    }
    content += bars(base)
    content += SVGText.line(Self.left, base, Self.width - Self.right, base, class: "axis")
    let slo = figures.workload.sloLatencyMs
    let isLate = x(slo) > Self.width * 0.6
    content += SVGText.line(x(slo), Self.top - 6, x(slo), base, class: "slo")
    content += SVGText.text(
      "SLO \(RangeCheck.plain(slo)) ms", x: x(slo) + (isLate ? -5 : 5), y: Self.top - 7,
      anchor: isLate ? "end" : "start",
      class: "slo-label")
    return SVGText.drawing(
      width: Self.width, height: Self.height, label: "Latencies of \(figures.workload.id) in milliseconds", content)
  }

  private func x(_ milliseconds: Double) -> Double {
    let share = (octaves(milliseconds) - octaves(low)) / (octaves(high) - octaves(low))
    return Self.left + share * (Self.width - Self.left - Self.right)
  }

  /// The logarithm to base 2, from the exponent and a straight line in between corrected to fourth order: good to 1e-3,
  /// finer than a pixel.
  private func octaves(_ value: Double) -> Double {
    let m = value.significand - 1
    return Double(value.exponent) + m * (1.4425 + m * (-0.7181 + m * (0.4576 + m * (-0.2772 + m * 0.0952))))
  }

  /// A bar for each of equal logarithmic stretches; those beyond the objective in its colour.
  private func bars(_ base: Double) -> String {
    var counts = [Double](repeating: 0, count: Self.bins)
    let plot = Self.width - Self.left - Self.right
    for bucket in figures.latencies.buckets {
      let from = (x(bucket.from * 1000) - Self.left) / plot * Double(Self.bins)
      let to = (x(bucket.to * 1000) - Self.left) / plot * Double(Self.bins)
      // A bucket is spread over the bars that it touches, so that their widths do not show.
      for bin in max(0, Int(from))...max(0, Int(to), Int(from)) where bin < Self.bins {
        let overlap = min(to, Double(bin + 1)) - max(from, Double(bin))
        if overlap > 0 { counts[bin] += Double(bucket.count) * overlap / (to - from) }
      }
    }
    guard let most = counts.max(), most > 0 else { return "" }
    let step = plot / Double(Self.bins)
    let limit = x(figures.workload.sloLatencyMs)
    var text = ""
    for (bin, count) in counts.enumerated() where count > 0 {
      let height = max(0.75, count / most * (base - Self.top))
      let left = Self.left + Double(bin) * step
      let isLate = left + step / 2 > limit
      text +=
        "<rect x=\"\(SVGText.number(left + 0.3))\" y=\"\(SVGText.number(base - height))\" "
        + "width=\"\(SVGText.number(step - 0.6))\" height=\"\(SVGText.number(height))\" class=\"\(isLate ? "late" : "bar")\"/>\n"
    }
    return text
  }

  /// 1, 2 and 5 of each decade, where there is room for their figures.
  private func ticks() -> [(value: Double, text: String)] {
    var ticks: [(Double, String)] = []
    var decade = 1e-3
    var last = -Double.infinity
    while decade < 1e8 {
      for step in [1.0, 2, 5] {
        let value = decade * step
        guard value >= low, value <= high else { continue }
        let place = x(value)
        guard place - last > 34, place > Self.left + 8, place < Self.width - Self.right - 12 else { continue }
        last = place
        ticks.append((value, value >= 1000 ? "\(SVGText.number(value / 1000)) s" : SVGText.number(value)))
      }
      decade *= 10
    }
    return ticks
  }
}
