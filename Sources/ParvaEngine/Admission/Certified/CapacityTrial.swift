/// The question whether a point keeps an objective at a load, played through with each stream that counts.
struct CapacityTrial {
  let point: Int
  let load: Int
  /// The step that is asked for.
  let objective: Int
  private let table: KindCapacity
  private let rate: Double
  private var streams: [UnitArrivals]
  /// The least step that is kept by the streams played so far; nil where one of them misses ``objective``.
  private(set) var least: Int?

  init(_ table: KindCapacity, _ point: Int, load: Int, objective: Int) {
    (self.table, self.point, self.load, self.objective) = (table, point, load, objective)
    let asked = table.streams(point, load: load)
    rate = asked?.rate ?? 0
    streams = asked?.streams.reversed() ?? []
    least = asked == nil ? .max : 0
  }

  /// The next run that has to be played; nil at the end.
  mutating func next(_ spare: inout [SojournTally]) -> SojournRun? {
    guard let stream = streams.popLast() else { return nil }
    return table.run(point, stream, rate: rate, objective: objective, &spare)
  }

  /// How that run ended.
  mutating func take(_ outcome: SojournRun.Outcome?) {
    switch outcome {
    case .keeps(let step): least = least.map { max($0, step) }
    case .misses, nil: (least, streams) = (nil, [])
    }
  }

  func keeps(_ step: Int) -> Bool { least.map { step >= $0 } ?? false }
}
