/// Tables asked for offers under many objectives: all of them, or what there is time for.
///
/// Whatever is kept under an objective is kept under every looser one, and no less can be had there. So where time is over, an objective
/// that was not come to gets what the next tighter one has, and of what it could have only what the next looser one has as a bound.
struct OfferSteps {
  /// Tables that a workload can choose from, and the objectives that they are asked for.
  struct Group {
    /// One per table.
    var tables: [(admission: CertifiedAdmission, kind: Int)]
    /// In steps of the grid, loosest first: what misses a loose objective is known to miss the tighter ones.
    var steps: [Int]
  }

  /// What is known of a table, by objective.
  struct Row {
    var offers: [Offer]
    /// No less than could be had; equal to the offers where those are the best.
    var ceilings: [Double]
  }

  /// Of more objectives than this some are asked first, that are spread over all.
  private static let coarse = 16

  /// By group and table.
  private(set) var rows: [[Row]] = []
  /// Whether all offers are the best there are.
  private(set) var isComplete = true

  private let groups: [Group]
  /// By group, table and objective.
  private var answers: [[[CapacityWork.Answer?]]]

  /// Nobody is left without an offer for want of time: each group is asked at least until each objective has some, or none can have.
  init(_ groups: [Group], _ context: PlanningContext) {
    self.groups = groups
    answers = groups.map { group in
      group.tables.map { _ in [CapacityWork.Answer?](repeating: nil, count: group.steps.count) }
    }
    // The tightest is among the first, for those that are not come to.
    func isFirst(_ place: Int, of count: Int) -> Bool {
      count <= Self.coarse || place == count - 1 || place % Self.coarse == 0
    }
    for first in [true, false] {
      let places = groups.map { group in
        group.steps.indices.filter { isFirst($0, of: group.steps.count) == first }
      }
      ask(places, isBrief: false, context)
    }
    isComplete = answers.allSatisfy { $0.allSatisfy { $0.allSatisfy { $0 != nil } } }
    if !isComplete { supply(context) }
    rows = groups.indices.map { group in groups[group].tables.indices.map { row(group, $0) } }
  }

  /// Asks all tables of the groups for some of their objectives, by group.
  private mutating func ask(_ asked: [[Int]], isBrief: Bool, _ context: PlanningContext) {
    var jobs: [CapacityWork.Job] = []
    var origins: [(group: Int, table: Int, places: [Int])] = []
    for (number, group) in groups.enumerated() where !asked[number].isEmpty {
      let places = asked[number]
      let steps = places.map { group.steps[$0] }
      for (index, table) in group.tables.enumerated() {
        jobs.append(CapacityWork.Job(admission: table.admission, kind: table.kind, steps: steps))
        origins.append((number, index, places))
      }
    }
    guard !jobs.isEmpty else { return }
    for (origin, found) in zip(origins, CapacityWork(jobs: jobs).answers(context, isBrief: isBrief)) {
      for (place, answer) in zip(origin.places, found) { answers[origin.group][origin.table][place] = answer }
    }
  }

  /// Finds something for each objective that has nothing yet, by as little as will do: first for the tightest, which does for all, and
  /// for some between, for which it would be little; where nothing keeps the tightest, by halves.
  private mutating func supply(_ context: PlanningContext) {
    var isFirst = true
    while true {
      let asked = groups.indices.map { group -> [Int] in
        let lacking = groups[group].steps.indices.filter { lacks(group, $0) }
        guard let last = lacking.last else { return [] }
        let quarters = stride(from: 0, to: lacking.count, by: max(1, lacking.count / 4)).map { lacking[$0] }
        return isFirst ? quarters.filter { $0 < last } + [last] : [lacking[lacking.count / 2]]
      }
      guard asked.contains(where: { !$0.isEmpty }) else { return }
      ask(asked, isBrief: true, context)
      isFirst = false
    }
  }

  /// Whether no table has something for an objective, though some might.
  private func lacks(_ group: Int, _ place: Int) -> Bool {
    let tables = groups[group].tables.indices
    return tables.allSatisfy { held(group, $0, place).capacity == 0 }
      && tables.contains { !isSettled(group, $0, place) }
  }

  /// What the objective or the next tighter one that was asked for has.
  private func held(_ group: Int, _ table: Int, _ place: Int) -> Offer {
    answers[group][table][place...].lazy.compactMap { $0?.offer }.first ?? .none
  }

  /// Whether it was asked for, or a looser one has nothing.
  private func isSettled(_ group: Int, _ table: Int, _ place: Int) -> Bool {
    let row = answers[group][table]
    return row[place] != nil || row[..<place].contains { $0.map { $0.offer.capacity == 0 } ?? false }
  }

  private func row(_ group: Int, _ table: Int) -> Row {
    let (known, source) = (answers[group][table], groups[group].tables[table])
    var row = Row(
      offers: [Offer](repeating: .none, count: known.count), ceilings: [Double](repeating: 0, count: known.count))
    var offer = Offer.none
    for place in known.indices.reversed() {
      offer = known[place]?.offer ?? offer
      row.offers[place] = offer
    }
    var ceiling = source.admission.table(source.kind)?.most(maxProcesses: source.admission.mostProcesses) ?? 0
    for place in known.indices {
      if let answer = known[place], answer.isBest { ceiling = answer.offer.capacity }
      row.ceilings[place] = max(ceiling, row.offers[place].capacity)
    }
    return row
  }
}
