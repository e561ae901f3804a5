package import Foundation
package import ParvaEngine

/// A simulation as one HTML page that needs nothing else: figures, latency distributions, and what happened over time.
package struct SimulationPage {
  /// Most workloads with a chart, and most rows of a table or of strips; the worst and the busiest are shown.
  private static let charts = 60
  private static let rows = 300

  private let report: SimulationReport

  package init(_ report: SimulationReport) { self.report = report }

  /// O(workloads x buckets + GPUs x stretches of time).
  package func html() -> Data {
    let page = """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>Parva simulation</title>
      <style>
      \(PageStyle.css)
      </style>
      </head>
      <body>
      <main>
      \(header)
      \(tiles)
      \(workloadTable)
      \(latencies)
      \(overTime)
      \(gpuLoad)
      \(footer)
      </main>
      </body>
      </html>

      """
    return Data(page.utf8)
  }

  // MARK: - Head

  private var header: String {
    let options = report.options
    let arrivals = options.arrivals.map(SimulationWriter.name) ?? "as each workload declares"
    let seeds = Figures.count(options.seeds.count, "seed")
    return """
      <header>
      <h1>Simulation of a plan</h1>
      <p>Planner <b>\(SVGText.escaped(report.planner))</b>, admission <b>\(SVGText.escaped(report.admission))</b>, \
      \(report.plan.profileSource.rawValue) profiles. \(RangeCheck.plain(options.duration)) s after \
      \(RangeCheck.plain(options.warmup)) s of warm-up, \(seeds), arrivals <b>\(SVGText.escaped(arrivals))</b>.</p>
      </header>
      """
  }

  private var tiles: String {
    var tiles: [(title: String, value: String, note: String, class: String)] = []
    let failing = report.workloads.filter { $0.attainment < $0.workload.percentile }
    tiles.append(
      (
        "Within SLO", SimulationWriter.share(report.attainment), "of \(grouped(report.requests)) requests",
        failing.isEmpty ? "good" : "bad"
      ))
    if let worst = report.workloads.min(by: { $0.worstAttainment < $1.worstAttainment }) {
      let seed = report.options.seeds.count > 1 ? ", worst seed" : ""
      tiles.append(
        (
          "Worst workload", SimulationWriter.share(worst.worstAttainment), worst.workload.id + seed,
          worst.worstAttainment < worst.workload.percentile ? "bad" : "good"
        ))
    }
    tiles.append(
      (
        "Keep their SLO", "\(report.workloads.count - failing.count) of \(report.workloads.count)",
        "workloads at their percentile", failing.isEmpty ? "good" : "bad"
      ))
    tiles.append(("GPUs", String(report.plan.gpuCount), "\(report.plan.allocatedSlices) slices allocated", ""))
    tiles.append(("Slack", Figures.percent(report.slack), "of the allocated slices idle", ""))
    let cells = tiles.map { tile in
      """
      <div class="tile \(tile.class)"><span>\(tile.title)</span><strong>\(tile.value)</strong>\
      <small>\(SVGText.escaped(tile.note))</small></div>
      """
    }
    return "<section class=\"tiles\">\n\(cells.joined(separator: "\n"))\n</section>"
  }

  private var footer: String {
    """
    <footer>Latencies are read from buckets within \(Figures.percent(LatencyHistogram.relativeError)). A latency is \
    waiting plus execution; requests that were lost count as missed. Load and utilisation are shares of time in which \
    processes execute.</footer>
    """
  }

  // MARK: - Workloads

  /// The workloads shown where there are too many for all: those that miss most.
  private func worst(_ count: Int) -> [SimulationReport.WorkloadFigures] {
    guard report.workloads.count > count else { return report.workloads }
    let chosen = Set(
      report.workloads.indices.sorted {
        (report.workloads[$0].attainment, $0) < (report.workloads[$1].attainment, $1)
      }.prefix(count))
    return report.workloads.indices.filter(chosen.contains).map { report.workloads[$0] }
  }

  private func note(_ shown: Int) -> String {
    shown < report.workloads.count ? "<p>The \(shown) of \(report.workloads.count) workloads that miss most.</p>" : ""
  }

  private var workloadTable: String {
    let shown = worst(Self.rows)
    let rows = shown.map { figures in
      let quantiles = [0.5, 0.95, 0.99, 0.999].map { q in
        let value = figures.latencies.quantile(q) * 1000
        let late = value > figures.workload.sloLatencyMs ? " class=\"over\"" : ""
        return "<td\(late)>\(Figures.plain(value))</td>"
      }.joined()
      let good = figures.attainment >= figures.workload.percentile
      let width = SVGText.number(max(0, figures.attainment) * 100)
      return """
        <tr><th>\(SVGText.escaped(figures.workload.id))</th><td>\(Figures.plain(figures.workload.rate))</td>\
        <td>\(RangeCheck.plain(figures.workload.sloLatencyMs))</td>\(quantiles)\
        <td class="attainment \(good ? "good" : "bad")"><i style="width:\(width)%"></i>\
        <span>\(SimulationWriter.share(figures.attainment))</span></td>\
        <td>\(SimulationWriter.share(figures.worstAttainment))</td><td>\(grouped(figures.lostRequests))</td>\
        <td>\(Figures.fixed(figures.meanQueue, 1))</td><td>\(grouped(figures.longestQueue))</td>\
        <td>\(Figures.percent(figures.utilisation))</td><td>\(Figures.fixed(figures.meanBatch, 1))</td></tr>
        """
    }
    return """
      <section>
      <h2>Workloads</h2>
      \(note(shown.count))
      <div class="scroll"><table>
      <thead><tr><th>workload</th><td>rate/s</td><td>SLO ms</td><td>p50</td><td>p95</td><td>p99</td><td>p99.9</td>\
      <td>within SLO</td><td>worst seed</td><td>lost</td><td>queue</td><td>longest</td><td>busy</td><td>batch</td></tr></thead>
      <tbody>
      \(rows.joined(separator: "\n"))
      </tbody>
      </table></div>
      </section>
      """
  }

  private var latencies: String {
    let shown = worst(Self.charts)
    let cards = shown.map { figures in
      let good = figures.attainment >= figures.workload.percentile
      return """
        <figure>
        <figcaption><b>\(SVGText.escaped(figures.workload.id))</b>\
        <span class="\(good ? "good" : "bad")">\(SimulationWriter.share(figures.attainment))</span>\
        <small>median \(Figures.plain(figures.latencies.quantile(0.5) * 1000)) · p99 \
        \(Figures.plain(figures.latencies.quantile(0.99) * 1000)) ms</small></figcaption>
        \(LatencyChart(figures).svg())</figure>
        """
    }
    return """
      <section>
      <h2>Latencies</h2>
      <p>Share of requests by latency in milliseconds, on a logarithmic axis. What is \
      <i class="key late"></i> red came later than the SLO.</p>
      \(note(shown.count))
      <div class="cards">
      \(cards.joined(separator: "\n"))
      </div>
      </section>
      """
  }

  private func grouped(_ number: Int) -> String {
    var digits = String(number)
    var groups: [String] = []
    while digits.count > 3 {
      groups.append(String(digits.suffix(3)))
      digits.removeLast(3)
    }
    return ([digits] + groups.reversed()).joined(separator: "\u{202f}")
  }

  // MARK: - Over time

  private func stretch(_ index: Int, of count: Int) -> String {
    let width = report.options.duration / Double(count)
    return "\(SVGText.number(Double(index) * width))–\(SVGText.number(Double(index + 1) * width)) s"
  }

  private var overTime: String {
    let shown = worst(Self.rows)
    let rows = shown.map { figures in
      let cells = figures.attainmentOverTime.enumerated().map { index, share in
        share.map { share in
          let title =
            "\(figures.workload.id), \(stretch(index, of: figures.attainmentOverTime.count)): "
            + SimulationWriter.share(share)
          return (class: Self.grade(share, figures.workload.percentile), opacity: 1.0, title: title)
        }
      }
      return HeatStrips.Row(
        label: figures.workload.id, figure: SimulationWriter.share(figures.attainment), cells: cells)
    }
    let strips = HeatStrips(rows, duration: report.options.duration, marks: report.marks)
    return """
      <section>
      <h2>SLO attainment over time</h2>
      <p>Of the requests that ended in each stretch of time: <i class="key g0"></i> at the workload's percentile or \
      above, <i class="key g1"></i> up to 5 % missed, <i class="key g2"></i> up to 25 %, <i class="key g3"></i> more.</p>
      \(note(shown.count))
      \(strips.svg(label: "SLO attainment of each workload over time"))
      </section>
      """
  }

  private static func grade(_ share: Double, _ percentile: Double) -> String {
    if share >= percentile { return "g0" }
    return share >= 0.95 ? "g1" : share >= 0.75 ? "g2" : "g3"
  }

  private var gpuLoad: String {
    let busiest = report.gpus.indices.sorted { (-report.gpus[$0].load, $0) < (-report.gpus[$1].load, $1) }
      .prefix(Self.rows).sorted()
    let rows = busiest.map { index in
      let gpu = report.gpus[index]
      let cells = gpu.loadOverTime.enumerated().map { bucket, load in
        let title =
          "GPU \(index), \(stretch(bucket, of: gpu.loadOverTime.count)): \(Figures.percent(load)) of its slices"
        return Optional((class: "load", opacity: min(1, load), title: title))
      }
      return HeatStrips.Row(label: "GPU \(index) \(gpu.product)", figure: Figures.percent(gpu.load), cells: cells)
    }
    let strips = HeatStrips(rows, duration: report.options.duration, marks: report.marks)
    let note =
      busiest.count < report.gpus.count ? "The \(busiest.count) busiest of \(report.gpus.count) GPUs. " : ""
    return """
      <section>
      <h2>GPU load over time</h2>
      <p>\(note)Share of each GPU's compute slices that execute, from <i class="key empty"></i> none to \
      <i class="key load"></i> all; a slice whose instance runs several processes counts for those that are busy.</p>
      \(strips.svg(label: "Load of each GPU over time"))
      </section>
      """
  }
}
