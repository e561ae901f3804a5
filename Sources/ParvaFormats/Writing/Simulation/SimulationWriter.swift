package import Foundation
package import ParvaEngine

/// Writes what a simulation found. The same simulation gives the same bytes.
package enum SimulationWriter {
  package static func json(_ report: SimulationReport) -> Data { document(report, .json) }
  package static func yaml(_ report: SimulationReport) -> Data { document(report, .yaml) }

  private static let quantiles: [(StaticString, Double)] = [
    ("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999),
  ]

  private static func document(_ report: SimulationReport, _ style: DocumentWriter.Style) -> Data {
    var writer = DocumentWriter(style)
    writer.object { root in
      root.object("plan") {
        $0.field("planner", report.planner)
        $0.field("admission", report.admission)
        $0.field("gpuCount", report.plan.gpuCount)
        $0.field("profileSource", report.plan.profileSource.rawValue)
      }
      root.object("simulation") { write(report.options, &$0) }
      root.object("summary") {
        $0.field("requests", report.requests)
        $0.field("attainment", report.attainment)
        $0.field("worstAttainment", report.workloads.map(\.worstAttainment).min() ?? 1)
        $0.field("slack", report.slack)
        $0.field("latencyError", LatencyHistogram.relativeError)
      }
      root.array("workloads") { list in
        for figures in report.workloads { list.object { write(figures, report, style, &$0) } }
      }
      root.array("gpus") { list in
        for (index, gpu) in report.gpus.enumerated() {
          list.object {
            $0.field("index", index)
            $0.field("pool", gpu.pool)
            $0.field("product", gpu.product)
            $0.field("load", rounded(gpu.load))
            $0.array("loadOverTime", inline: true) { values in
              for value in gpu.loadOverTime { values.element(rounded(value)) }
            }
          }
        }
      }
    }
    writer.finish()
    return Data(writer.bytes)
  }

  private static func write(_ options: SimulationOptions, _ object: inout DocumentWriter) {
    object.field("durationSeconds", options.duration)
    object.field("warmupSeconds", options.warmup)
    object.array("seeds", inline: true) { list in
      for seed in options.seeds { list.element(Int(truncatingIfNeeded: seed)) }
    }
    object.field("arrivals", options.arrivals.map(name) ?? "declared")
    object.field("maxWaitMs", options.longestWaitMs)
    object.field("queueLimit", options.queueLimit)
    object.field("onFailure", options.failurePolicy.rawValue)
    object.field("bucketSeconds", options.duration / Double(options.buckets))
  }

  private static func write(
    _ figures: SimulationReport.WorkloadFigures, _ report: SimulationReport, _ style: DocumentWriter.Style,
    _ object: inout DocumentWriter
  ) {
    object.field("id", figures.workload.id)
    object.field("model", figures.workload.model)
    object.field("rate", figures.workload.rate)
    object.object("slo", inline: true) {
      $0.field("latencyMs", figures.workload.sloLatencyMs)
      $0.field("percentile", figures.workload.percentile)
    }
    object.field("arrivals", name(report.options.shape(of: figures.workload)))
    object.field("requests", figures.requests)
    object.field("completed", figures.completed)
    object.field("pending", figures.pending)
    object.object("lost", inline: true) {
      $0.field("overflow", figures.lost[.overflow] ?? 0)
      $0.field("failure", figures.lost[.failure] ?? 0)
      $0.field("unserved", figures.lost[.unserved] ?? 0)
    }
    object.field("withinSlo", figures.withinSLO)
    object.field("attainment", figures.attainment)
    object.array("attainmentBySeed", inline: true) { list in
      for share in figures.attainmentBySeed { list.element(share) }
    }
    object.object("latencyMs", inline: true) { latencies in
      latencies.field("mean", rounded(figures.latencies.mean * 1000))
      for (key, q) in quantiles { latencies.field(key, rounded(figures.latencies.quantile(q) * 1000)) }
      latencies.field("max", rounded(figures.latencies.maximum * 1000))
    }
    object.field("meanQueue", rounded(figures.meanQueue))
    object.field("maxQueue", figures.longestQueue)
    object.field("utilisation", rounded(figures.utilisation))
    object.field("meanBatch", rounded(figures.meanBatch))
    object.array("segments") { list in
      for segment in figures.segments {
        list.object(inline: style == .json) {
          $0.field("id", segment.id)
          $0.field("gpu", segment.gpu)
          $0.field("plan", segment.plan)
          $0.field("profile", segment.profile)
          $0.field("batch", segment.batch)
          $0.field("processes", segment.processes)
          $0.field("meanQueue", rounded(segment.meanQueue))
          $0.field("maxQueue", segment.longestQueue)
          $0.field("utilisation", rounded(segment.utilisation))
          $0.field("meanBatch", rounded(segment.meanBatch))
        }
      }
    }
  }

  /// Six decimals are more than a simulation knows.
  private static func rounded(_ value: Double) -> Double {
    value.magnitude < 1e9 ? (value * 1e6).rounded() / 1e6 : value
  }

  static func name(_ shape: ArrivalShape) -> String {
    switch shape {
    case .poisson: "poisson"
    case .deterministic: "deterministic"
    case .gamma(let cv2): "gamma:\(RangeCheck.plain(cv2))"
    case .recorded(let recording): "trace:\(recording.name)"
    }
  }

  // MARK: - CSV

  /// One row a workload.
  package static func csv(_ report: SimulationReport) -> Data {
    var text =
      "workload,model,rate,slo_ms,percentile,requests,completed,pending,lost,attainment,worst_attainment,mean_ms,p50_ms,"
      + "p95_ms,p99_ms,p999_ms,max_ms,mean_queue,max_queue,utilisation,mean_batch\n"
    for figures in report.workloads {
      let workload = figures.workload
      let quantiles = [0.5, 0.95, 0.99, 0.999].map { rounded(figures.latencies.quantile($0) * 1000).description }
      text +=
        "\(workload.id),\(CSVWriter.field(workload.model)),\(workload.rate),\(workload.sloLatencyMs),"
        + "\(workload.percentile),\(figures.requests),\(figures.completed),\(figures.pending),\(figures.lostRequests),"
        + "\(figures.attainment),\(figures.worstAttainment),\(rounded(figures.latencies.mean * 1000)),"
        + "\(quantiles.joined(separator: ",")),\(rounded(figures.latencies.maximum * 1000)),"
        + "\(rounded(figures.meanQueue)),\(figures.longestQueue),\(rounded(figures.utilisation)),"
        + "\(rounded(figures.meanBatch))\n"
    }
    return Data(text.utf8)
  }

  // MARK: - Table

  package static func text(_ report: SimulationReport, _ style: TextStyle) -> String {
    let several = report.options.seeds.count > 1
    var table = TextTable(
      [
        ("workload", .left), ("requests", .right), ("SLO ms", .right), ("p50", .right), ("p95", .right),
        ("p99", .right), ("p99.9", .right), ("within SLO", .right),
      ] + (several ? [("worst", .right)] : []) + [
        ("lost", .right), ("queue", .right), ("max", .right), ("busy", .right), ("batch", .right),
      ])
    for figures in report.workloads {
      let quantiles = [0.5, 0.95, 0.99, 0.999].map { Figures.plain(figures.latencies.quantile($0) * 1000) }
      var row = [figures.workload.id, String(figures.requests), RangeCheck.plain(figures.workload.sloLatencyMs)]
      row += quantiles
      row.append(share(figures.attainment))
      if several { row.append(share(figures.worstAttainment)) }
      row += [
        String(figures.lostRequests), Figures.fixed(figures.meanQueue, 1), String(figures.longestQueue),
        Figures.percent(figures.utilisation), Figures.fixed(figures.meanBatch, 1),
      ]
      table.add(row)
    }
    var gpus = TextTable([("GPU", .left), ("product", .left), ("busy", .right), ("over time", .left)])
    for (index, gpu) in report.gpus.enumerated() {
      gpus.add(["GPU \(index)", gpu.product, Figures.percent(gpu.load), sparkline(gpu.loadOverTime, style)])
    }
    return (table.lines(style) + [""] + gpus.lines(style) + [""] + summary(report, style)).joined(separator: "\n")
      + "\n"
  }

  private static func summary(_ report: SimulationReport, _ style: TextStyle) -> [String] {
    let worst = report.workloads.min { $0.worstAttainment < $1.worstAttainment }
    let seeds = report.options.seeds.count
    let parts = [
      "\(share(report.attainment)) of \(Figures.count(report.requests, "request")) within their SLO",
      worst.map { "worst \($0.workload.id) \(share($0.worstAttainment))" + (seeds > 1 ? " in one seed" : "") },
      "slack \(Figures.percent(report.slack))", Figures.count(report.plan.gpuCount, "GPU"),
      "profiles: \(report.plan.profileSource.rawValue)",
    ]
    let options = report.options
    let how = [
      "\(RangeCheck.plain(options.duration)) s after \(RangeCheck.plain(options.warmup)) s of warm-up",
      "arrivals: \(options.arrivals.map(name) ?? "as declared")", Figures.count(seeds, "seed"),
      "latencies within \(Figures.percent(LatencyHistogram.relativeError))",
    ]
    return [parts.compactMap(\.self).joined(separator: " \(style.dot) "), how.joined(separator: " \(style.dot) ")]
  }

  /// One line about a workload that reached less than it was to: rounded down, so that what is less also reads as less.
  package static func shortfall(_ figures: SimulationReport.WorkloadFigures, below wanted: Double) -> String {
    let reached = Figures.fixed((figures.worstAttainment * 1e4).rounded(.down) / 100, 2)
    return "\(figures.workload.id): \(reached) % of a seed's requests within "
      + "\(RangeCheck.plain(figures.workload.sloLatencyMs)) ms, below \(RangeCheck.plain((wanted * 1e8).rounded() / 1e6)) %"
  }

  /// Two decimals, and never 100 % for less than all.
  static func share(_ share: Double) -> String {
    let text = Figures.percent(share, 2)
    return share < 1 && text == "100.00 %" ? "99.99 %" : text
  }

  /// One sign for each of at most 40 stretches of time.
  private static func sparkline(_ loads: [Double], _ style: TextStyle) -> String {
    let signs = style.unicode ? Array("▁▂▃▄▅▆▇█") : Array(".:-=+*#@")
    let width = min(40, loads.count)
    return String(
      (0..<width).map { column -> Character in
        let range =
          column * loads.count / width..<max(column * loads.count / width + 1, (column + 1) * loads.count / width)
        let mean = loads[range].reduce(0, +) / Double(range.count)
        return signs[min(signs.count - 1, max(0, Int(mean * Double(signs.count))))]
      })
  }
}
