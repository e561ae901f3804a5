package import Foundation
import ParvaEngine

extension TransitionWriter {
  private enum Size {
    static let label = 210.0
    static let wave = 150.0
    static let row = 22.0
    static let top = 46.0
    static let gap = 10.0
  }

  /// GPUs over time as SVG: a row for each GPU that changes, a column for each state between waves, slices to scale.
  ///
  /// What a wave has made has a thick border, what is there for the way only a dashed one.
  package func svg() -> Data {
    let changed = Set(transition.waves.flatMap { $0.steps.map(\.gpu) }).sorted()
    let states = states(of: changed)
    let workloads = Set(states.joined().joined().map(\.segment.workload)).sorted()
    let colour = Dictionary(uniqueKeysWithValues: workloads.enumerated().map { ($1, $0 * 137 % 360) })
    let width = Size.label + Double(states.count) * (Size.wave + Size.gap)
    let height = Size.top + Double(changed.count) * Size.row + 30
    var text =
      #"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \#(Figures.plain(width)) \#(Figures.plain(height))" "#
      + #"font-family="sans-serif" font-size="11" role="img">"# + "\n<title>GPUs over the waves of a roll-out</title>\n"
    for (column, state) in states.enumerated() {
      let x = Size.label + Double(column) * (Size.wave + Size.gap)
      let name = column == 0 ? "before" : "after wave \(column)"
      text += #"<text x="\#(Figures.plain(x))" y="24" font-weight="bold">\#(name)</text>"# + "\n"
      for (row, gpu) in changed.enumerated() {
        let y = Size.top + Double(row) * Size.row
        text +=
          #"<rect x="\#(Figures.plain(x))" y="\#(Figures.plain(y))" width="\#(Figures.plain(Size.wave))" height="18" "#
          + #"fill="none" stroke="gray"/>"# + "\n"
        let unit = Size.wave / Double(input.gpus[gpu].product.axisLength)
        for place in state[row] { text += draw(place, gpu, x, y, unit, colour[place.segment.workload] ?? 0) }
      }
    }
    for (row, gpu) in changed.enumerated() {
      let y = Size.top + Double(row) * Size.row + 13
      let name = (input.gpus[gpu].node.map { "\($0) " } ?? "") + input.gpus[gpu].name
      text += #"<text x="4" y="\#(Figures.plain(y))">\#(Self.escaped(String(name.prefix(34))))</text>"# + "\n"
    }
    return Data((text + "</svg>\n").utf8)
  }

  private struct Place {
    var segment: StandingSegment
    var isNew: Bool
    var isTemporary: Bool
  }

  /// What stands on each of `gpus` before the first wave and after every one.
  private func states(of gpus: [Int]) -> [[[Place]]] {
    let row = Dictionary(uniqueKeysWithValues: gpus.enumerated().map { ($1, $0) })
    var states = [gpus.map { input.gpus[$0].before.map { Place(segment: $0, isNew: false, isTemporary: false) } }]
    for wave in transition.waves {
      var next = states[states.count - 1].map { places in
        places.map { Place(segment: $0.segment, isNew: false, isTemporary: $0.isTemporary) }
      }
      for step in wave.steps {
        guard let row = row[step.gpu] else { continue }
        switch step.action {
        case .destroy: next[row].removeAll { $0.segment == step.segment }
        case .create: next[row].append(Place(segment: step.segment, isNew: true, isTemporary: step.isTemporary))
        }
      }
      states.append(next)
    }
    return states
  }

  private func draw(_ place: Place, _ gpu: Int, _ x: Double, _ y: Double, _ unit: Double, _ hue: Int) -> String {
    let profile = input.gpus[gpu].product.profiles[place.segment.placement.profile]
    let left = x + Double(place.segment.placement.start) * unit
    let width = Double(profile.placementSize) * unit
    let border = place.isNew ? 2 : 0.5
    let dashes = place.isTemporary ? #" stroke-dasharray="3 2""# : ""
    let room = Int(width / 6.5)
    let name = Self.escaped(String(place.segment.workload.prefix(room)))
    return
      #"<rect x="\#(Figures.plain(left + 1))" y="\#(Figures.plain(y + 1))" width="\#(Figures.plain(width - 2))" "#
      + #"height="16" fill="hsl(\#(hue) 60% 80%)" stroke="black" stroke-width="\#(border)"\#(dashes)>"#
      + "<title>\(Self.escaped(place.segment.id)) \(profile.name)</title></rect>"
      + #"<text x="\#(Figures.plain(left + 3))" y="\#(Figures.plain(y + 13))">\#(name)</text>"# + "\n"
  }

  private static func escaped(_ text: String) -> String {
    text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
      .replacingOccurrences(of: ">", with: "&gt;")
  }
}
