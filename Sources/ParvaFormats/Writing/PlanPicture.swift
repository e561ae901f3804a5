package import ParvaEngine

/// Draws a plan for a person: a bar per GPU, a legend, what is not served, and a summary.
package struct PlanPicture {
  /// Bars and legend rows beyond these are counted, not drawn.
  package static let shownBars = 48
  package static let shownRows = 120

  private let plan: Plan
  private let style: TextStyle
  /// Colour number of each workload, in order of appearance.
  private let colors: [String: Int]

  package init(_ plan: Plan, style: TextStyle) {
    self.plan = plan
    self.style = style
    var colors: [String: Int] = [:]
    for gpu in plan.gpus {
      for segment in gpu.segments where colors[segment.workload] == nil { colors[segment.workload] = colors.count }
    }
    self.colors = colors
  }

  /// Lines joined and ended by line feeds. O(segments).
  package func text() -> String {
    var lines: [String] = []
    for block in blocks { lines += bars(block) }
    if !plan.gpus.isEmpty { lines += [""] + legend() }
    if !plan.unplaced.isEmpty { lines += [""] + refusals() }
    if !plan.partial.isEmpty { lines += [""] + partialServices() }
    lines += (lines.isEmpty ? [] : [""]) + summary()
    return lines.joined(separator: "\n") + "\n"
  }

  // MARK: - Bars

  private struct Block {
    var pool: String
    var product: GPUProduct
    var gpus: [(index: Int, gpu: PlannedGPU)]
  }

  /// GPUs of one pool that follow each other.
  private var blocks: [Block] {
    var blocks: [Block] = []
    for (index, gpu) in plan.gpus.enumerated() {
      if let last = blocks.last, last.pool == gpu.pool, last.product.name == gpu.product.name {
        blocks[blocks.count - 1].gpus.append((index, gpu))
      } else {
        blocks.append(Block(pool: gpu.pool, product: gpu.product, gpus: [(index, gpu)]))
      }
    }
    return blocks
  }

  /// What makes two bars look the same.
  private struct Look: Hashable {
    var node: String?
    var cells: [String]
  }

  private func bars(_ block: Block) -> [String] {
    var order: [Look] = []
    var alike: [Look: [Int]] = [:]
    for (index, gpu) in block.gpus {
      let cells = gpu.segments.map { "\($0.workload) \($0.profile) \($0.start) \($0.batch) \($0.processes)" }
      let look = Look(node: gpu.node, cells: cells)
      if alike[look] == nil { order.append(look) }
      alike[look, default: []].append(index)
    }
    let shown = order.prefix(Self.shownBars).compactMap { alike[$0] }
    let rows = shown.map { indices in
      let gpu = plan.gpus[indices[0]]
      let more = indices.count > 1 ? "\(style.times)\(indices.count)" : gpu.node ?? ""
      return SliceBars.Row(labels: ("GPU \(indices[0])", more), cells: gpu.segments.map { cell($0, gpu.product) })
    }
    let margin = rows.reduce(8) { max($0, min(16, max($1.labels.0.count, $1.labels.1.count) + 1)) }
    let heading =
      "\(block.product.name)" + (block.pool == "default" ? "" : ", pool \(block.pool)")
      + ": \(Figures.count(block.gpus.count, "GPU")) of \(block.product.computeSlices) compute slices"
    var lines = [style.bold(heading)]
    lines += SliceBars(axisLength: block.product.axisLength, margin: margin, style: style).lines(rows)
    let hidden = block.gpus.count - shown.reduce(0) { $0 + $1.count }
    if hidden > 0 { lines.append("\(style.ellipsis) and \(Figures.count(hidden, "GPU")) more; -o csv lists all") }
    return lines
  }

  private func cell(_ segment: Segment, _ product: GPUProduct) -> SliceBars.Cell {
    let profile = product.profiles[segment.profile]
    let short = "\(profile.computeSlices)g"
    let work = "b\(segment.batch)\(style.times)\(segment.processes)"
    return SliceBars.Cell(
      start: segment.start, size: profile.placementSize,
      text: ([segment.workload], ["\(profile.name) \(work)", "\(short) \(work)", work]),
      color: colors[segment.workload] ?? 0)
  }

  // MARK: - Legend

  private struct Kind: Hashable {
    var workload: String
    var profile: String
    var batch: Int
    var processes: Int
    var latencyMs: Double
  }

  private func legend() -> [String] {
    var order: [Kind] = []
    var totals: [Kind: (count: Int, load: Double, capacity: Double)] = [:]
    for gpu in plan.gpus {
      for segment in gpu.segments {
        let kind = Kind(
          workload: segment.workload, profile: gpu.product.profiles[segment.profile].name, batch: segment.batch,
          processes: segment.processes, latencyMs: segment.latencyMs)
        if totals[kind] == nil { order.append(kind) }
        let sum = totals[kind] ?? (0, 0, 0)
        totals[kind] = (sum.count + 1, sum.load + segment.load, sum.capacity + segment.capacity)
      }
    }
    order.sort { ($0.workload, $0.profile, $0.batch) < ($1.workload, $1.profile, $1.batch) }
    var table = TextTable([
      ("workload", .left), ("segments", .right), ("instance", .left), ("batch", .right), ("processes", .right),
      ("load/s", .right), ("capacity/s", .right), ("used", .right), ("exec ms", .right),
    ])
    for kind in order.prefix(Self.shownRows) {
      guard let sum = totals[kind] else { continue }
      table.add(
        [
          style.fitted(kind.workload, 32), String(sum.count), kind.profile, String(kind.batch),
          String(kind.processes), Figures.plain(sum.load), Figures.plain(sum.capacity),
          Figures.percent(sum.load / sum.capacity, 0), Figures.plain(kind.latencyMs),
        ], color: colors[kind.workload])
    }
    let hidden = order.count - Self.shownRows
    return table.lines(style)
      + (hidden > 0 ? ["\(style.ellipsis) and \(Figures.count(hidden, "row")) more; -o csv lists all"] : [])
  }

  private func refusals() -> [String] {
    let shown = plan.unplaced.prefix(Self.shownRows).map { "  \($0.workload): \($0.message) [\($0.code.rawValue)]" }
    let hidden = plan.unplaced.count - shown.count
    return [style.bold("Not served: \(Figures.count(plan.unplaced.count, "workload"))")] + shown
      + (hidden > 0 ? ["  \(style.ellipsis) and \(hidden) more; -o json lists all"] : [])
  }

  private func partialServices() -> [String] {
    let shown = plan.partial.prefix(Self.shownRows).map {
      "  \($0.workload): \(Figures.plain($0.served)) of \(Figures.plain($0.demanded)) requests/s; \($0.message) "
        + "[\($0.code.rawValue)]"
    }
    let hidden = plan.partial.count - shown.count
    return [style.bold("Served in part: \(Figures.count(plan.partial.count, "workload"))")] + shown
      + (hidden > 0 ? ["  \(style.ellipsis) and \(hidden) more; -o json lists all"] : [])
  }

  // MARK: - Summary

  private func summary() -> [String] {
    let summary = plan.summary
    let slices = plan.gpus.reduce(0) { $0 + $1.product.computeSlices }
    var parts = [Figures.count(summary.gpuCount, "GPU") + proof]
    parts.append("\(summary.allocatedSlices) of \(slices) slices allocated")
    parts.append("external fragmentation \(Figures.percent(summary.externalFragmentation))")
    parts.append("internal slack \(Figures.percent(summary.internalSlack))")
    for objective in PlanObjective.summed {
      guard let sum = summary.sums[objective.name] else { continue }
      parts.append("\(Figures.fixed(sum, objective.decimals)) \(objective.unit)")
    }
    return [
      style.bold(parts.joined(separator: " \(style.dot) ")),
      "planner: \(plan.planner) \(style.dot) admission: \(plan.admission)\(margin) \(style.dot) status: \(plan.status.rawValue) "
        + "\(style.dot) profiles: \(summary.profileSource.rawValue)",
    ]
  }

  /// A margin that there is; a rule without one and a plan made with none look the same.
  private var margin: String {
    guard let margin = plan.margin, margin > 0 else { return "" }
    return " less \(RangeCheck.plain((margin * 1e5).rounded() / 1e3)) %"
  }

  private var proof: String {
    guard let bound = plan.summary.lowerBound else { return "" }
    let gap = plan.summary.gap ?? 0
    let end = plan.summary.isCutShort ? ", cut short by the time limit" : ""
    let verdict = (plan.status == .optimal ? "proven minimal" : "gap \(RangeCheck.plain(gap))") + end
    return " (lower bound \(Figures.fixed(bound, 2)), \(verdict))"
  }
}
