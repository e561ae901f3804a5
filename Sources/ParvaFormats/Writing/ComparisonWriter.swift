package import Foundation
package import ParvaEngine

/// What one planner made of an input, and in what time.
package struct PlannerOutcome: Sendable {
  package var planner: String
  package var status: PlanStatus
  package var unplaced: Int
  package var summary: PlanSummary
  package var milliseconds: Double

  package init(_ plan: Plan, milliseconds: Double) {
    planner = plan.planner
    status = plan.status
    unplaced = plan.unplaced.count
    summary = plan.summary
    self.milliseconds = milliseconds
  }
}

/// Writes what several planners made of one input.
package struct ComparisonWriter {
  private let workloads: Int
  private let outcomes: [PlannerOutcome]

  /// - Parameters:
  ///   - workloads: how many workloads the input had.
  ///   - outcomes: at least one; the first is what the others are measured against.
  package init(workloads: Int, outcomes: [PlannerOutcome]) {
    self.workloads = workloads
    self.outcomes = outcomes
  }

  package func json() -> Data { document(.json) }
  package func yaml() -> Data { document(.yaml) }

  private func document(_ style: DocumentWriter.Style) -> Data {
    var writer = DocumentWriter(style)
    writer.object { root in
      root.field("workloads", workloads)
      root.array("planners") { list in
        for outcome in outcomes {
          list.object { object in
            object.field("planner", outcome.planner)
            object.field("status", outcome.status.rawValue)
            object.field("unplaced", outcome.unplaced)
            object.field("milliseconds", (outcome.milliseconds * 1000).rounded() / 1000)
            object.object("summary") { PlanWriter.write(outcome.summary, &$0) }
          }
        }
      }
    }
    writer.finish()
    return Data(writer.bytes)
  }

  package func csv() -> Data {
    var text =
      "planner,status,gpus,lower_bound,gap,allocated_slices,external_fragmentation,internal_slack,"
      + PlanObjective.summed.map { $0.name + "," }.joined() + "unplaced,milliseconds,profile_source\n"
    for outcome in outcomes {
      let summary = outcome.summary
      let optional = { (value: Double?) in value?.description ?? "" }
      text +=
        "\(outcome.planner),\(outcome.status.rawValue),\(summary.gpuCount),\(optional(summary.lowerBound)),"
        + "\(optional(summary.gap)),\(summary.allocatedSlices),\(summary.externalFragmentation),"
        + "\(summary.internalSlack),"
        + PlanObjective.summed.map { optional(summary.sums[$0.name]) + "," }.joined() + "\(outcome.unplaced),"
        + "\(Figures.fixed(outcome.milliseconds, 3)),\(summary.profileSource.rawValue)\n"
    }
    return Data(text.utf8)
  }

  package func text(_ style: TextStyle) -> String {
    let objectives = PlanObjective.summed
    var table = TextTable(
      [
        ("planner", .left), ("status", .left), ("GPUs", .right), ("of first", .right), ("bound", .right),
        ("gap", .right), ("fragmentation", .right), ("slack", .right),
      ] + objectives.map { ($0.heading, .right) } + [("not served", .right), ("ms", .right)])
    let base = outcomes.first?.summary.gpuCount ?? 0
    for outcome in outcomes {
      let summary = outcome.summary
      table.add(
        [
          outcome.planner, outcome.status.rawValue, String(summary.gpuCount),
          base > 0 ? Figures.percent(Double(summary.gpuCount) / Double(base), 1) : "-",
          summary.lowerBound.map { Figures.fixed($0, 2) } ?? "-", summary.gap.map(RangeCheck.plain) ?? "-",
          Figures.percent(summary.externalFragmentation), Figures.percent(summary.internalSlack),
        ]
          + objectives.map { objective in
            summary.sums[objective.name].map { Figures.fixed($0, objective.decimals) } ?? "-"
          } + [String(outcome.unplaced), Figures.fixed(outcome.milliseconds, 1)])
    }
    let sources = Set(outcomes.map(\.summary.profileSource.rawValue)).sorted().joined(separator: ", ")
    let last = "\(Figures.count(workloads, "workload")) \(style.dot) profiles: \(sources)"
    return (table.lines(style) + [last]).joined(separator: "\n") + "\n"
  }
}

// MARK: - Chart

extension ComparisonWriter {
  /// A bar a planner, as long as its GPUs, split into what works, what is slack and what no segment holds; the best
  /// lower bound as a line. Needs nothing but itself.
  package func svg() -> Data {
    let (left, top, step, bar) = (150.0, 64.0, 46.0, 26.0)
    let (width, plot) = (960.0, 560.0)
    let height = top + step * Double(outcomes.count) + 56
    let most = Double(max(1, outcomes.map(\.summary.gpuCount).max() ?? 1))
    let x = { (gpus: Double) in Self.number(left + plot * gpus / most) }
    var svg = """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(width)) \(Int(height))" font-family="sans-serif" \
      font-size="14" fill="#1f2933">
      <rect width="100%" height="100%" fill="#ffffff"/>
      <text x="20" y="30" font-size="18" font-weight="bold">GPUs for \(Figures.count(workloads, "workload"))</text>

      """
    for (row, outcome) in outcomes.enumerated() {
      let y = top + step * Double(row)
      let (gpus, summary) = (Double(outcome.summary.gpuCount), outcome.summary)
      let held = gpus * (1 - summary.externalFragmentation)
      let work = held * (1 - summary.internalSlack)
      svg += Self.text(outcome.planner, x: Self.number(left - 12), y: y + 18, anchor: "end")
      for (from, to, color) in [(0, work, "#2f6f9f"), (work, held, "#9cc3de"), (held, gpus, "#e3e8ec")] where to > from
      {
        svg +=
          "<rect x=\"\(x(from))\" y=\"\(Self.number(y))\" width=\"\(Self.number(plot * (to - from) / most))\" "
          + "height=\"\(Self.number(bar))\" fill=\"\(color)\"/>\n"
      }
      let proof = outcome.status == .optimal ? ", proven minimal" : ""
      svg += Self.text(
        "\(summary.gpuCount)\(proof) in \(Figures.fixed(outcome.milliseconds, 1)) ms", x: Self.number(left + plot + 12),
        y: y + 18, anchor: "start")
    }
    let bottom = top + step * Double(outcomes.count)
    if let bound = outcomes.compactMap(\.summary.lowerBound).max() {
      svg +=
        "<line x1=\"\(x(bound))\" y1=\"\(Self.number(top - 8))\" x2=\"\(x(bound))\" y2=\"\(Self.number(bottom - 10))\" "
        + "stroke=\"#c0392b\" stroke-width=\"2\" stroke-dasharray=\"5 4\"/>\n"
      svg += Self.text(
        "lower bound \(Figures.fixed(bound, 2))", x: x(bound), y: top - 14, anchor: "middle", color: "#c0392b")
    }
    var place = left
    for (label, color) in [("working", "#2f6f9f"), ("internal slack", "#9cc3de"), ("unallocated", "#e3e8ec")] {
      svg +=
        "<rect x=\"\(Self.number(place))\" y=\"\(Self.number(bottom + 12))\" width=\"14\" height=\"14\" "
        + "fill=\"\(color)\"/>\n"
      svg += Self.text(label, x: Self.number(place + 20), y: bottom + 24, anchor: "start")
      place += 140
    }
    let sources = Set(outcomes.map(\.summary.profileSource.rawValue)).sorted().joined(separator: ", ")
    svg += Self.text("profiles: \(sources)", x: Self.number(place + 20), y: bottom + 24, anchor: "start")
    return Data((svg + "</svg>\n").utf8)
  }

  private static func number(_ value: Double) -> String { Figures.fixed(value, 1) }

  private static func text(
    _ text: String, x: String, y: Double, anchor: String, color: String = "#1f2933"
  ) -> String {
    let escaped = text.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
    return "<text x=\"\(x)\" y=\"\(number(y))\" text-anchor=\"\(anchor)\" fill=\"\(color)\">\(escaped)</text>\n"
  }
}
